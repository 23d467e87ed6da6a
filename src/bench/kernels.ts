import type { Build } from '../kernels/instance.js';
import type { Case, Group, LimitName, Prepared, Unit } from './cases.js';
import { type Figure, figureOf, ratioOf } from './figure.js';
import { measure, type Pace, type Rates } from './measure.js';
import { type Disagreement, disagree, variantName } from './proof.js';
import { type Forms, openSubject, type Subject } from './subject.js';
import { Space, type Workbench } from './workbench.js';

/** One build on a number of threads. */
export interface Cell {
  readonly build: Build;
  readonly threads: number;
  /** In the unit of the line. */
  readonly rate: Figure;
  /** Of the limit measured beside it, on as many threads. */
  readonly share?: Figure;
}

/** Two variants of one line, round by round: builds on as many threads, and threads of one build. */
export interface Ratio {
  readonly of: string;
  readonly to: string;
  readonly value: Figure;
}

/** One line of the table, with a cell for each build and number of threads that was measured. */
export interface Line {
  readonly name: string;
  readonly group: Group | 'model';
  readonly unit: Unit | 'tokens/s';
  readonly limit?: LimitName | 'roofline';
  readonly cells: readonly Cell[];
  readonly ratios: readonly Ratio[];
}

/** A workbench, and the probes that are fastest there. */
export type Place = readonly [on: Workbench, forms: Forms];

interface Opened {
  readonly subject: Subject;
  readonly prepared: Prepared;
}

/** Prepares a case once per build and starts it on each number of threads. `closing` collects what must be closed in the end. */
async function openAll(each: Case, places: readonly Place[], threads: readonly number[], closing: (() => void)[]): Promise<Opened[]> {
  const opened: Opened[] = [];
  for (const [on, forms] of places) {
    const space = new Space(on);
    closing.push(() => space.release());
    const prepared = each.prepare(space, Math.max(...threads));
    for (const count of typeof prepared.step === 'function' ? [1] : threads) {
      const subject = await openSubject(on, space, each, prepared, forms, count);
      closing.push(() => subject.close());
      opened.push({ subject, prepared });
    }
  }
  return opened;
}

const nameOf = ({ build, threads }: { build: Build; threads: number }): string => variantName(build, threads);

/** Variants whose calls take longer are compared but not timed: scalar products of many tokens would take most of the time. */
const MOST_SECONDS = 2;

/** The result of a call at the size that is measured, once more compared; and which variants are quick enough to be timed. */
function checkAgreement(each: Case, opened: readonly Opened[]): { wrong?: Disagreement; quick: Opened[] } {
  const hashes: Record<string, string> = {};
  const quick = opened.filter(({ subject }) => {
    const start = performance.now();
    hashes[nameOf(subject)] = subject.digest();
    return performance.now() - start < MOST_SECONDS * 1000;
  });
  return disagree(hashes) ? { wrong: { kernel: each.name, hashes }, quick } : { quick };
}

/** Slower over faster is what people ask about: simd over scalar, relaxed over simd, more threads over one. */
export function ratiosOf(variants: readonly { build: Build; threads: number }[], values: readonly (readonly number[])[]): Ratio[] {
  const order: readonly Build[] = ['scalar', 'simd', 'relaxed'];
  const find = (build: Build | undefined, threads: number) => variants.findIndex((other) => other.build === build && other.threads === threads);
  const least = Math.min(...variants.map(({ threads }) => threads));
  return variants.flatMap((variant, at) => {
    const pairs = [find(order[order.indexOf(variant.build) - 1], variant.threads), variant.threads === least ? -1 : find(variant.build, least)];
    return pairs.filter((to) => to >= 0).map((to) => ({ of: nameOf(variant), to: nameOf(variants[to]!), value: ratioOf(values[at]!, values[to]!) }));
  });
}

function cellOf({ work, limit }: Case, { subject, prepared }: Opened, { calls, limit: limits }: Rates): Cell {
  const { build, threads } = subject;
  const rate = figureOf(calls.map((each) => each * work));
  if (!limit) return { build, threads, rate };
  const own = limit.work ?? prepared.reads!.bytes;
  return { build, threads, rate, share: ratioOf(calls.map((each) => each * own), limits) };
}

/** Measures a case on all builds and numbers of threads, in turn. Should their results differ, that is the answer. */
export async function measureCase(each: Case, places: readonly Place[], threads: readonly number[], pace: Pace, pause: () => Promise<void>): Promise<Line | Disagreement> {
  const closing: (() => void)[] = [];
  try {
    const opened = await openAll(each, places, threads, closing);
    const { wrong, quick } = checkAgreement(each, opened);
    if (wrong) return wrong;
    const subjects = quick.map(({ subject }) => subject);
    const rates = await measure(subjects, pace, pause);
    return {
      name: each.name,
      group: each.group,
      unit: each.unit,
      ...(each.limit && { limit: each.limit.name }),
      cells: quick.map((one, i) => cellOf(each, one, rates[i]!)),
      ratios: ratiosOf(subjects, rates.map(({ calls }) => calls)),
    };
  } finally {
    for (const close of closing.reverse()) close();
  }
}
