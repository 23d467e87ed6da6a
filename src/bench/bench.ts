import { StonechatError } from '../errors.js';
import type { Source } from '../generate/types.js';
import type { Host } from '../host/host.js';
import type { Build } from '../kernels/instance.js';
import { BUILDS } from '../kernels/instance.js';
import { bpeCase } from './bpe-case.js';
import { type Case, FULL, GROUPS, ON_REQUEST, PROOF, QUICK, type Sizes } from './cases.js';
import { type Line, measureCase, type Place } from './kernels.js';
import { findLimits } from './limits.js';
import { matmulCases } from './matmul-cases.js';
import { FULL_PACE, QUICK_PACE } from './measure.js';
import { FULL_LENGTHS, type LoadModel, measureModel, type ModelBench, proveModel, QUICK_LENGTHS } from './models.js';
import { type Disagreement, prove } from './proof.js';
import type { Report } from './report.js';
import { rowCases } from './row-cases.js';
import { syntheticModel } from './synthetic.js';
import { type CompileProbes, openWorkbench, type Workbench } from './workbench.js';

/** Options of `bench`. */
export interface BenchOptions {
  /** Measured end to end; default: a small one, written in memory. */
  model?: Source;
  /** Groups of kernels, or parts of their names; `model` is end to end. Default: all but `batch`. */
  kernels?: readonly string[];
  /** Default: 1, and one per processor (8 at most). */
  threads?: readonly number[];
  /** Default: all that work here. */
  builds?: readonly Build[];
  /** Small sizes and few rounds: to see that it works, not for figures. */
  quick?: boolean;
  /** Called before each step with what it is. */
  onProgress?: (step: string) => void;
}

/** What an entry brings. */
export interface BenchParts {
  readonly host: Host;
  readonly compileProbes: CompileProbes;
  readonly load: LoadModel;
  /** What the host knows of itself. */
  readonly describe: () => { readonly cpu?: string; readonly runtime: string };
  /** Replaces the workbench of a build; for tests that break a kernel. */
  readonly openWorkbench?: typeof openWorkbench;
}

const MODEL = 'model';
const DEFAULT_MOST_THREADS = 8;
const QUICK_MEMORY = 16 << 20;

const casesOf = (sizes: Sizes): Case[] => [...matmulCases(sizes), ...rowCases(sizes), bpeCase(sizes.textBytes)];

/** What is measured on a host. An edge function has 128 MB: too little for what does not fit in caches. */
export const sizesFor = ({ name }: Host, quick: boolean): Sizes => (quick ? QUICK : name === 'edge' ? { ...FULL, memoryBytes: 0 } : FULL);
export const benchCases = (host: Host, quick: boolean): Case[] => casesOf(sizesFor(host, quick));

/** The cases that `wanted` names, in the table's order. */
export function selectCases(cases: readonly Case[], wanted: readonly string[] | undefined): Case[] {
  const inOrder = [...cases].sort((a, b) => GROUPS.indexOf(a.group) - GROUPS.indexOf(b.group));
  if (!wanted) return inOrder.filter(({ group }) => !ON_REQUEST.has(group));
  const matches = ({ name, group }: Case, term: string) =>
    group === term || (name.includes(term) && (!ON_REQUEST.has(group) || term.startsWith(group)));
  const unknown = wanted.find((term) => term !== MODEL && !cases.some((each) => matches(each, term)));
  if (unknown === undefined) return inOrder.filter((each) => wanted.some((term) => matches(each, term)));
  throw new StonechatError({
    code: 'bad-option',
    expected: `kernels among ${[...GROUPS, MODEL].join(', ')}, or a part of a kernel's name`,
    found: JSON.stringify(unknown),
    remedy: 'For instance: gemm, q4_0, attention.',
  });
}

function buildsOf(host: Host, asked: readonly Build[] | undefined): Build[] {
  const there = BUILDS.filter((build) => host.builds.includes(build));
  const missing = asked?.find((build) => !there.includes(build));
  if (missing === undefined) return there.filter((build) => !asked || asked.includes(build));
  throw new StonechatError({ code: 'unavailable', expected: `builds that work here: ${there.join(', ')}`, found: missing, remedy: 'Leave it out.' });
}

function threadsOf({ canThread, processors }: Host, asked: readonly number[] | undefined): number[] {
  const wanted = asked ?? [1, Math.min(processors, DEFAULT_MOST_THREADS)];
  const bad = wanted.find((count) => !Number.isInteger(count) || count < 1 || count > 64);
  if (bad !== undefined || wanted.length === 0) {
    throw new StonechatError({ code: 'bad-option', expected: 'threads to be whole numbers from 1 to 64', found: String(bad ?? 'none'), remedy: 'For instance 1,2.' });
  }
  return canThread ? [...new Set(wanted)].sort((a, b) => a - b) : [1];
}

const refuse = ({ kernel, hashes }: Disagreement) =>
  new StonechatError({
    code: 'unavailable',
    expected: `the same bits of ${kernel} from every build and number of threads`,
    found: Object.entries(hashes).map(([variant, hash]) => `${variant}: ${hash}`).join(', '),
    remedy: 'Nothing was measured. Please report this with the name of the processor and the runtime.',
  });

const isLine = (result: Line | Disagreement): result is Line => 'cells' in result;

/** One run: the proof, the machine's limits, the kernels, a model. @throws StonechatError `bad-option`, `unavailable` where builds disagree. */
export async function runBench(parts: BenchParts, options: BenchOptions): Promise<Report> {
  const { host, compileProbes, describe } = parts;
  const { quick = false, onProgress: say = () => {} } = options;
  const threads = threadsOf(host, options.threads);
  const builds = buildsOf(host, options.builds);
  const cases = selectCases(benchCases(host, quick), options.kernels);
  const pace = quick ? QUICK_PACE : FULL_PACE;
  const benches: Workbench[] = [];
  for (const build of builds) benches.push(await (parts.openWorkbench ?? openWorkbench)(host, build, host.canThread && Math.max(...threads) > 1, compileProbes));

  say('comparing the builds');
  const proof = await prove(casesOf(PROOF), benches, threads);
  if (proof.disagreements[0]) throw refuse(proof.disagreements[0]);

  say('the limits of this machine');
  const found = benches.map((on) => findLimits(on, pace, sizesFor(host, quick).memoryBytes || QUICK_MEMORY));
  const places = benches.map((on, i): Place => [on, found[i]!.forms]);
  const model = await openedModel(parts, options, places, threads);
  const lines: Line[] = [];
  for (const each of cases) {
    say(each.name);
    const result = await measureCase(each, places, threads, pace, () => host.yield());
    if (!isLine(result)) throw refuse(result);
    lines.push(result);
  }

  if (model) {
    say('prefill and decode');
    lines.push(...(await measureModel(model.bench, { open: host.open.bind(host), list: host.list.bind(host) })));
  }
  const machine = { ...describe(), processors: host.processors, builds, threads, limits: found.map(({ limits }) => limits) };
  return {
    schema: 1, quick, machine,
    proof: { ...proof, ...(model && { logitsHash: model.logitsHash }) },
    ...(model && { model: model.name }),
    lines,
  };
}

/** The model to be measured, once all builds have given the same logits: before the minutes that the kernels take. */
async function openedModel({ load }: BenchParts, { model, kernels, quick, onProgress: say = () => {} }: BenchOptions, places: readonly Place[], threads: readonly number[]) {
  if (model === undefined && kernels && !kernels.includes(MODEL)) return undefined;
  const source = model ?? (await syntheticModel());
  const bench: ModelBench = { source, load, places, threads, lengths: quick ? QUICK_LENGTHS : FULL_LENGTHS, pace: quick ? QUICK_PACE : FULL_PACE };
  say('comparing the logits');
  const proof = await proveModel(bench);
  if (!('logitsHash' in proof)) throw refuse(proof);
  const name = model === undefined ? 'synthetic' : typeof model === 'string' ? model.split(/[\\/]/).at(-1)! : 'given as bytes';
  return { ...proof, name, bench };
}
