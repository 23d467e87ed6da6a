import type { Pool } from '../kernels/pool.js';
import { SLOT } from '../kernels/steps.js';
import { type Case, GATE } from './cases.js';
import { openSteps } from './subject.js';
import { Space, type Workbench } from './workbench.js';

/** Which results of a case differ: hashes by `build x threads`. */
export interface Disagreement {
  readonly kernel: string;
  readonly hashes: Readonly<Record<string, string>>;
}

export interface Proof {
  /** Kernels whose results were compared, and on what. */
  readonly kernels: number;
  readonly variants: readonly string[];
  readonly disagreements: readonly Disagreement[];
}

export const variantName = (build: string, threads: number): string => `${build} x ${threads}`;

/** One walk over all cases by one pool of threads; a hash of each result. */
async function hashesOn(on: Workbench, cases: readonly Case[], threads: number): Promise<string[]> {
  const space = new Space(on);
  try {
    const prepared = cases.map((each) => each.prepare(space, threads));
    const calls = prepared.flatMap(({ step }) => (typeof step === 'function' ? [step] : []));
    const pool = await openSteps(on, space, prepared.flatMap(({ step }) => (typeof step === 'function' ? [] : [step])), threads);
    try {
      walkOnce(pool, prepared.length - calls.length);
    } finally {
      pool.stop();
    }
    for (const call of calls) call();
    return prepared.map(({ digest }) => digest());
  } finally {
    space.release();
  }
}

function walkOnce(pool: Pool, steps: number): void {
  pool.slots[GATE] = 1;
  pool.slots[SLOT.stepCount] = steps;
  pool.run();
}

export const disagree = (hashes: Readonly<Record<string, string>>): boolean => new Set(Object.values(hashes)).size > 1;

/** Runs every case once on every build and number of threads and compares the bits of the results. */
export async function prove(cases: readonly Case[], benches: readonly Workbench[], threads: readonly number[]): Promise<Proof> {
  const all = new Map<string, string[]>();
  for (const on of benches) for (const count of threads) all.set(variantName(on.build, count), await hashesOn(on, cases, count));
  const hashesOf = (index: number) => Object.fromEntries([...all].map(([variant, hashes]) => [variant, hashes[index]!]));
  const disagreements = cases.map(({ name }, index) => ({ kernel: name, hashes: hashesOf(index) })).filter(({ hashes }) => disagree(hashes));
  return { kernels: cases.length, variants: [...all.keys()], disagreements };
}
