import { collect } from '../../files/chunks.js';
import { type GgufContent, writeGguf } from '../../files/gguf-writer.js';
import { tensorBytes } from '../../files/dtypes.js';
import { aborted, badOption, show } from '../../files/refuse.js';
import type { ModelFile } from '../../files/types.js';
import { trainingFlops } from '../../graph/flops.js';
import type { Build } from '../../host/host.js';
import { instantiateKernels } from '../../kernels/instance.js';
import { buildNetwork } from '../../models/index.js';
import { layerRows, type LayerRow } from '../../models/parameters.js';
import type { Tokenizer } from '../../text/types.js';
import { type Documents, pairCount } from '../data/batches.js';
import { autoConfig, type ModelConfig } from './config.js';
import { type Corpus, END_OF_TEXT, readCorpus, splitValidation, tokenizeDocuments } from '../data/corpus.js';
import type { TrainHost } from '../loop/engine.js';
import { bytesById, type Evaluation } from '../loop/evaluation.js';
import type { LossHistory } from '../loop/loop.js';
import { generateNgrams, learnNgrams, NgramModel, writeNgrams } from '../ngram/index.js';
import { SAMPLING } from './sampler.js';
import { VALIDATION_SHARE, vocabularyFor } from './settings.js';
import { train, type TrainEvent } from './train.js';
import { learnVocabulary, type Vocabulary } from '../tokenizer/vocabulary.js';

export interface CompareOptions {
  /** Optimizer steps of each network. */
  readonly steps?: number | undefined;
  /** In place of steps: about how long each network may learn. What comes out then depends on the machine. Default 60. */
  readonly seconds?: number | undefined;
  /** Longest n-grams; the network sees one token less. Default 5. */
  readonly order?: number | undefined;
  readonly seed?: number | undefined;
  /** Tokens of the vocabulary that all three share. */
  readonly vocabulary?: number | undefined;
  /** Sizes that differ from what suits the corpus. */
  readonly network?: Partial<ModelConfig> | undefined;
  readonly transformer?: Partial<ModelConfig> | undefined;
  /** Text to validate with. Default: a share of the corpus is kept back. */
  readonly validation?: Corpus | undefined;
  readonly separator?: string | undefined;
  /** What samples begin with, and their tokens. */
  readonly samplePrompt?: string | undefined;
  readonly sampleTokens?: number | undefined;
  readonly threads?: number | undefined;
  readonly build?: Build | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: CompareEvent) => void) | undefined;
}

export type ReadyCompareOptions = CompareOptions & { readonly threads: number; readonly build: Build };
export type Kind = 'n-gram' | 'network' | 'transformer';
/** What `train` says of a network, with which one it is; and what begins that says nothing itself. */
export type CompareEvent = (TrainEvent & { readonly model: Kind }) | { readonly kind: 'stage'; readonly stage: 'vocabulary' | 'n-gram' };

/** One of the models that `compare` has made. */
export interface ComparedModel {
  readonly kind: Kind;
  /** `general.architecture`, or the order of the n-grams. */
  readonly title: string;
  readonly parameters: number;
  /** Layer by layer: inputs x outputs + outputs. */
  readonly layers: readonly LayerRow[];
  /** Spent learning, without evaluations. */
  readonly seconds: number;
  /** Tokens learnt from, repetitions counted. */
  readonly tokens: number;
  readonly steps: number;
  /** Floating-point operations of learning: see src/graph/flops.ts. */
  readonly flops: number;
  readonly validation: Evaluation;
  readonly sample: string;
  /** Of a network: losses on the way. */
  readonly history: LossHistory | undefined;
  /** The model as a file: GGUF, or the n-gram format. */
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
}

/** What `compare` found. */
export interface Comparison {
  readonly vocabulary: number;
  readonly trainingTokens: number;
  readonly validationTokens: number;
  readonly models: readonly ComparedModel[];
}

/** Sizes for a corpus of so many tokens at most: all three are small. */
const MOST_TOKENS = 1_000_000;
const EVALUATIONS = 8;
const EVALUATION_TOKENS = 8192;
const SECONDS = 60;
/** Steps whose time tells how many more there is time for; the first is left out, because memory is new to it. */
const TRIAL_STEPS = 4;

/** The three generations of language models on one text with one tokenizer: counts, a feed-forward network, a transformer. */
export async function compare(from: TrainHost, corpus: Corpus, options: ReadyCompareOptions): Promise<Comparison> {
  if (options.steps !== undefined && options.seconds !== undefined) throw badOption('either steps or seconds', 'both', 'Leave one out.');
  const task = await prepare(from, corpus, options);
  const models = [await compareNgrams(task), await compareNetwork(task, 'network'), await compareNetwork(task, 'transformer')];
  return { vocabulary: task.vocabulary.tokenizer.size, trainingTokens: pairCount(task.training), validationTokens: pairCount(task.validation), models };
}

/** What the three share. */
interface Task {
  readonly from: TrainHost;
  readonly options: ReadyCompareOptions;
  readonly seed: number;
  readonly order: number;
  readonly vocabulary: Vocabulary;
  readonly start: number;
  readonly texts: { readonly training: readonly string[]; readonly validation: readonly string[] };
  readonly training: Documents;
  readonly validation: Documents;
}

async function prepare(from: TrainHost, corpus: Corpus, options: ReadyCompareOptions): Promise<Task> {
  const { separator = END_OF_TEXT, seed = 0, order = 5 } = options;
  const all = await readCorpus(corpus, separator);
  const texts = options.validation === undefined ? splitValidation(all, VALIDATION_SHARE, seed) : { training: all, validation: await readCorpus(options.validation, separator, 'a validation text') };
  if (texts.validation.length === 0) throw badOption('a corpus of which a part can be kept back', show(all[0]), 'Give more text, or a text to validate with.');
  const size = vocabularyFor(texts.training.reduce((sum, { length }) => sum + length, 0), options);
  options.onEvent?.({ kind: 'stage', stage: 'vocabulary' });
  const vocabulary = await learnVocabulary(from, texts.training, size);
  const { tokenizer } = vocabulary;
  const [training, validation] = [await tokenizeDocuments(texts.training, tokenizer), await tokenizeDocuments(texts.validation, tokenizer)];
  return { from, options, seed, order, vocabulary, start: tokenizer.bos!, texts, training, validation };
}

const documentsOf = ({ ids, ends }: Documents): Int32Array[] => Array.from(ends, (end, i) => ids.subarray(i ? ends[i - 1]! : 0, end));

async function compareNgrams(task: Task): Promise<ComparedModel> {
  const { options, order, vocabulary } = task;
  if (options.signal?.aborted) throw aborted(options.signal, 'the comparison');
  options.onEvent?.({ kind: 'stage', stage: 'n-gram' });
  await task.from.host.yield();
  const started = performance.now();
  const model = learnNgrams(documentsOf(task.training), { order, vocabularySize: vocabulary.tokenizer.size });
  const seconds = (performance.now() - started) / 1000;
  const tokens = pairCount(task.training);
  const grams = model.sizes.reduce((a, b) => a + b, 0);
  return {
    kind: 'n-gram', title: `${order}-grams, Kneser-Ney`, parameters: model.parameters, layers: ngramRows(model), seconds, tokens, steps: 1,
    // A count for each n-gram that is met; a subtraction, a division, a multiplication and an addition for each that is kept.
    flops: tokens * order + 4 * grams,
    validation: judgeNgrams(model, task.validation, vocabulary.tokenizer), sample: await sampleNgrams(model, task), history: undefined,
    bytes: async () => collect(pieces(writeNgrams(new NgramModel({ ...model.content, tokenizer: await tokenizerFile(task) })))),
  };
}

/** The tokenizer that all share, as a GGUF file without tensors. */
const tokenizerFile = ({ vocabulary }: Task): Promise<Uint8Array<ArrayBuffer>> =>
  collect(writeGguf({ metadata: new Map([['general.architecture', 'llama'], ...vocabulary.metadata]), tensors: [] }));

async function* pieces(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

const ngramRows = ({ content }: NgramModel): LayerRow[] =>
  content.levels.map(({ probabilities, backoffs }, i) => {
    const numbers = (value: number) => value.toLocaleString('en-US');
    return [`${i + 1}-grams`, 'table', backoffs.length ? `${numbers(probabilities.length)} + ${numbers(backoffs.length)}` : numbers(probabilities.length), probabilities.length + backoffs.length];
  });

/** The same predictions that the networks are judged by: every token of a document but the first. */
function judgeNgrams(model: NgramModel, validation: Documents, tokenizer: Tokenizer): Evaluation {
  const bytes = bytesById(tokenizer);
  let nats = 0;
  let tokens = 0;
  let length = 0;
  for (const ids of documentsOf(validation)) {
    const found = model.score(ids);
    nats += found.nats;
    tokens += found.tokens;
    length += ids.subarray(1).reduce((sum, id) => sum + bytes[id]!, 0);
  }
  return { loss: nats / tokens, perplexity: Math.exp(nats / tokens), bitsPerByte: nats / Math.LN2 / length, tokens };
}

async function sampleNgrams(model: NgramModel, { from, options, seed, start, vocabulary: { tokenizer } }: Task): Promise<string> {
  const build = from.host.builds[0]!;
  const kernels = instantiateKernels(await from.host.compile(build, false), build);
  const prompt = [start, ...tokenizer.encode(options.samplePrompt ?? '', { addSpecial: false })];
  return tokenizer.decode([...prompt, ...generateNgrams(model, kernels, prompt, { ...SAMPLING, maxTokens: options.sampleTokens ?? 96, seed, stopIds: tokenizer.stopIds })]);
}

/** The network sees as much as the n-grams do; otherwise it is as the ladder of sizes has it. */
function configFor(kind: Exclude<Kind, 'n-gram'>, { order, start, training, options, vocabulary }: Task): ModelConfig {
  const tokens = Math.min(pairCount(training), MOST_TOKENS);
  const common = { vocabulary: vocabulary.tokenizer.size };
  if (kind === 'transformer') return autoConfig(tokens, { ...options.transformer, ...common });
  return autoConfig(tokens, { architecture: 'nplm', window: Math.max(1, order - 1), padding: start, ...options.network, ...common });
}

async function compareNetwork(task: Task, kind: Exclude<Kind, 'n-gram'>): Promise<ComparedModel> {
  const { from, options, seed, texts } = task;
  const config = configFor(kind, task);
  const tokenizer = await tokenizerFile(task);
  const common = { config, tokenizer, validation: texts.validation, seed, threads: options.threads, build: options.build, signal: options.signal };
  const steps = options.steps ?? (await stepsWithin(options.seconds ?? SECONDS, (more) => train(from, texts.training, { ...common, validation: texts.validation.slice(0, 1), ...more })));
  let seconds = 0;
  const onEvent = (event: TrainEvent) => {
    if (event.kind === 'step') seconds += event.seconds;
    options.onEvent?.({ ...event, model: kind });
  };
  const result = await train(from, texts.training, {
    ...common, steps, evaluateEvery: Math.max(1, Math.ceil(steps / EVALUATIONS)), evaluationTokens: EVALUATION_TOKENS, sampleEvery: steps,
    samplePrompt: options.samplePrompt, sampleTokens: options.sampleTokens, onEvent,
  });
  const file = describe(result.content);
  return {
    kind, title: config.architecture, parameters: result.parameters, layers: layerRows(file.tensors), seconds, tokens: result.tokens, steps,
    flops: trainingFlops(buildNetwork(file).graph, config.context, result.tokens), validation: result.validation!, sample: result.history.samples.at(-1)?.text ?? '', history: result.history,
    bytes: result.bytes,
  };
}

/** How many steps there is time for, by the time that a few take. */
async function stepsWithin(seconds: number, run: (options: { steps: number; evaluateEvery: number; evaluationTokens: number; sampleEvery: number; onEvent: (event: TrainEvent) => void }) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  const onEvent = (event: TrainEvent) => void (event.kind === 'step' && times.push(event.seconds));
  await run({ steps: TRIAL_STEPS, evaluateEvery: TRIAL_STEPS, evaluationTokens: 1, sampleEvery: 0, onEvent });
  return Math.max(TRIAL_STEPS, Math.floor(seconds / Math.min(...times.slice(1))));
}

/** As much of a file as its layers can be told from. */
const describe = ({ metadata, tensors }: GgufContent): ModelFile => ({
  format: 'gguf', name: 'a trained model', fileBytes: 0,
  metadata: new Map([...metadata].flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]))),
  tensors: new Map(tensors.map(({ name, type, shape }) => [name, { name, type, shape, bytes: tensorBytes(type, shape)! }])),
  read: async () => {}, sibling: async () => undefined, close: async () => {},
});
