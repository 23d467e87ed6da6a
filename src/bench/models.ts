import { openModel } from '../files/index.js';
import type { ModelFile } from '../files/types.js';
import type { GenerateOptions, LoadOptions, Model, Source, Summary } from '../generate/types.js';
import type { Build } from '../kernels/instance.js';
import { type Case, stepOf } from './cases.js';
import { figureOf, ratioOf } from './figure.js';
import { type Cell, type Line, type Place, ratiosOf } from './kernels.js';
import { type Pace, secondsOf } from './measure.js';
import { disagree, type Disagreement, variantName } from './proof.js';
import { openSubject, type Subject } from './subject.js';
import { Space } from './workbench.js';

export type LoadModel = (source: Source, options: LoadOptions) => Promise<Model>;

/** What one token asks of the machine: operations of its matrix products, bytes of its weights. */
export interface Demand {
  /** In integers, in floats; of all layers, and of the head besides. */
  readonly integer: number;
  readonly float: number;
  readonly headInteger: number;
  readonly headFloat: number;
  readonly bytes: number;
}

const FLOATS: ReadonlySet<string> = new Set(['f32', 'f16', 'bf16']);
const EMBEDDING = 'token_embd.weight';
const HEAD = 'output.weight';

/** The matrices that every token is multiplied with; a table that is not also the head is only looked up in. */
export function demandOf({ tensors }: Pick<ModelFile, 'tensors'>): Demand {
  const head = tensors.has(HEAD) ? HEAD : EMBEDDING;
  const matrices = [...tensors.values()].filter(({ name, shape }) => shape.length > 1 && shape[1]! > 1 && (name === head || (name !== EMBEDDING && !name.startsWith('position_embd'))));
  const operations = (ofHead: boolean, floats: boolean) =>
    matrices.filter(({ name, type }) => (name === head) === ofHead && FLOATS.has(type) === floats).reduce((sum, { shape }) => sum + 2 * shape.reduce((a, b) => a * b, 1), 0);
  return {
    integer: operations(false, false),
    float: operations(false, true),
    headInteger: operations(true, false),
    headFloat: operations(true, true),
    bytes: matrices.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** Rates of one core or several, per second. */
interface Rates {
  readonly integer: number;
  readonly float: number;
  readonly read: number;
}

/** Tokens that go through the weights together: the runner's batch. */
const BATCH = 64;

/** The least seconds that `tokens` take: the larger of arithmetic and reading, everything else for nothing. */
export function rooflineSeconds({ integer, float, headInteger, headFloat, bytes }: Demand, rates: Rates, tokens: number): number {
  const arithmetic = (integer * tokens + headInteger) / rates.integer + (float * tokens + headFloat) / rates.float;
  return Math.max(arithmetic, (Math.ceil(tokens / BATCH) * bytes) / rates.read);
}

/** Prompts that are read, and tokens that follow the first. */
export interface Lengths {
  readonly prompts: readonly number[];
  readonly answer: number;
  /** A variant is left out of what would take it longer. */
  readonly mostSeconds: number;
}
export const FULL_LENGTHS: Lengths = { prompts: [128, 512], answer: 64, mostSeconds: 20 };
export const QUICK_LENGTHS: Lengths = { prompts: [16], answer: 4, mostSeconds: 5 };

const GREEDY: GenerateOptions = { temperature: 0, ignoreEos: true, reusePrefix: false, top: 0 };
const PRIME = 7919;
const promptOf = (length: number, vocabulary: number): number[] => Array.from({ length }, (_, i) => ((i + 1) * PRIME) % vocabulary);

async function answer(model: Model, prompt: number, maxTokens: number, more: GenerateOptions = {}): Promise<Summary> {
  const generation = model.generate(promptOf(prompt, model.info.vocabulary), { ...GREEDY, maxTokens, ...more });
  for await (const token of generation) void token;
  return generation.summary;
}

/** Rates of what is measured, in tokens a second; undefined where it would take too long. */
type Speeds = Map<string, number>;

const prefillName = (prompt: number): string => `prefill ${prompt}`;
const decodeName = (tokens: number): string => `decode ${tokens}`;

/** Prompts that the model has room for. */
const fitting = ({ prompts }: Lengths, context: number): number[] => prompts.filter((prompt) => prompt < context);

async function measureOnce(model: Model, lengths: Lengths): Promise<Speeds> {
  const speeds: Speeds = new Map();
  const trial = await answer(model, Math.min(32, model.info.contextLength - 8), 8); // compiles what is hot, too
  const prompts = fitting(lengths, model.info.contextLength);
  for (const prompt of prompts) {
    if (prompt / trial.prefillTokensPerSecond > lengths.mostSeconds) continue;
    speeds.set(prefillName(prompt), (await answer(model, prompt, 1)).prefillTokensPerSecond);
  }
  const room = Math.min(lengths.answer + 1, model.info.contextLength - prompts[0]!);
  if (room > 1 && room / trial.decodeTokensPerSecond < lengths.mostSeconds && prompts[0]! / trial.prefillTokensPerSecond < lengths.mostSeconds) {
    speeds.set(decodeName(lengths.answer), (await answer(model, prompts[0]!, room)).decodeTokensPerSecond);
  }
  return speeds;
}

interface Variant {
  readonly build: Build;
  readonly threads: number;
  readonly limits: readonly Subject[];
  readonly speeds: Speeds[];
  readonly rates: Rates[];
}

const LIMITS = ['integer', 'float', 'read'] as const;
const MOST_READ_BYTES = 256 << 20;

/** The machine's limits as subjects of their own: a kernel of no items beside them. */
async function openLimits([on, forms]: Place, threads: number, bytes: number, closing: (() => void)[]): Promise<Subject[]> {
  const space = new Space(on);
  closing.push(() => space.release());
  const reads = space.allocate(Math.min(bytes, MOST_READ_BYTES));
  const prepared = { step: stepOf('add_f32', [0, 0, 0, 0, 0, 0, 0], 0), reads, digest: () => '' };
  const subjects: Subject[] = [];
  for (const name of LIMITS) {
    const each: Case = { name, group: 'gemv', unit: 'GB/s', work: 1, limit: { name }, prepare: () => prepared };
    const subject = await openSubject(on, space, each, prepared, forms, threads);
    closing.push(() => subject.close());
    subjects.push(subject);
  }
  return subjects;
}

function measureLimits(limits: readonly Subject[], milliseconds: number): Rates {
  const [integer, float, read] = limits.map(({ limit }) => limit!.work / secondsOf(limit!.run, milliseconds));
  return { integer: integer!, float: float!, read: read! };
}

export interface ModelBench {
  readonly source: Source;
  readonly load: LoadModel;
  readonly places: readonly Place[];
  readonly threads: readonly number[];
  readonly lengths: Lengths;
  readonly pace: Pace;
}

async function withModel<T>({ source, load, lengths }: ModelBench, build: Build, threads: number, use: (model: Model) => Promise<T>): Promise<T> {
  const most = Math.max(...lengths.prompts) + lengths.answer + 1;
  const model = await load(source, { build, threads, contextLength: most });
  try {
    return await use(model);
  } finally {
    model.dispose();
  }
}

const variantsOf = ({ places, threads }: ModelBench): { place: Place; build: Build; threads: number }[] =>
  places.flatMap((place) => threads.map((count) => ({ place, build: place[0].build, threads: count })));

/** The same tokens from every build and number of threads, by the bits of their logits. */
export async function proveModel(bench: ModelBench): Promise<{ logitsHash: string } | Disagreement> {
  const hashes: Record<string, string> = {};
  for (const { build, threads } of variantsOf(bench)) {
    const summary = await withModel(bench, build, threads, (model) => answer(model, 7, 4, { hashLogits: true }));
    hashes[variantName(build, threads)] = summary.logitsHash!;
  }
  return disagree(hashes) ? { kernel: 'the model', hashes } : { logitsHash: Object.values(hashes)[0]! };
}

/** Loads the model anew for each variant and round, so that variants take turns and only one is in memory. */
export async function measureModel(bench: ModelBench, open: Parameters<typeof openModel>[1]): Promise<Line[]> {
  const file = await openModel(bench.source, open);
  const demand = demandOf(file);
  await file.close();
  const closing: (() => void)[] = [];
  try {
    const variants: Variant[] = [];
    for (const { place, build, threads } of variantsOf(bench)) variants.push({ build, threads, limits: await openLimits(place, threads, demand.bytes, closing), speeds: [], rates: [] });
    for (const { limits } of variants) measureLimits(limits, bench.pace.warmup);
    for (let round = 0; round < modelRounds(bench.pace); round++) for (const variant of variants) await measureVariant(bench, variant);
    return linesOf(variants, demand, bench.lengths);
  } finally {
    for (const close of closing.reverse()) close();
  }
}

/** A round takes seconds, not milliseconds. */
const modelRounds = ({ rounds }: Pace): number => Math.ceil(rounds / 2);

async function measureVariant(bench: ModelBench, { build, threads, limits, speeds, rates }: Variant): Promise<void> {
  speeds.push(await withModel(bench, build, threads, (model) => measureOnce(model, bench.lengths)));
  rates.push(measureLimits(limits, bench.pace.milliseconds));
}

function linesOf(variants: readonly Variant[], demand: Demand, { prompts, answer: answered }: Lengths): Line[] {
  const kinds = [...prompts.map((prompt) => ({ name: prefillName(prompt), tokens: prompt })), { name: decodeName(answered), tokens: 1 }];
  return kinds.flatMap(({ name, tokens }) => {
    const measured = variants.filter(({ speeds }) => speeds.every((each) => each.has(name)));
    if (measured.length === 0) return [];
    const values = measured.map(({ speeds }) => speeds.map((each) => each.get(name)!));
    const cells = measured.map(({ build, threads, rates }, i): Cell => {
      const least = rates.map((each) => tokens / rooflineSeconds(demand, each, tokens));
      return { build, threads, rate: figureOf(values[i]!), share: ratioOf(values[i]!, least) };
    });
    return [{ name, group: 'model', unit: 'tokens/s', limit: 'roofline', cells, ratios: ratiosOf(measured, values) }];
  });
}
