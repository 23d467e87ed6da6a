import { StonechatError } from '../errors.js';
import { openModel } from '../files/index.js';
import type { ModelFile } from '../files/types.js';
import { createModel } from '../generate/model.js';
import type { Estimate, LoadOptions, Model, ModelInfo, Source } from '../generate/types.js';
import { KV_TYPES } from '../graph/node.js';
import { abortSignal, callback, checkRules, isText, oneOf, type Rule, whole } from '../generate/rules.js';
import type { Host } from '../host/host.js';
import { type Build, BUILDS } from '../kernels/instance.js';
import { estimateMemory, heapBytes, type LoadedRunner, loadRunner, type RunnerOptions, warningsOf } from '../run/load.js';
import { chatRenderer } from './chat-renderer.js';
import { LoadMeter } from './progress.js';
import { tokenizerAt, tokenizerFromModel } from '../text/index.js';
import type { Tokenizer } from '../text/types.js';

export const MOST_THREADS = 64;
const MOST_CONTEXT = 1 << 24;
const DEFAULT_MOST_THREADS = 8;
/** Below this a token takes less time than threads take to meet. */
const SMALL_MODEL_BYTES = 16 << 20;

/** What every entry exports, whatever it runs on. */
export interface Stonechat {
  /**
   * Loads a model into memory, ready to generate.
   * @throws StonechatError `bad-option`, `not-found`, `bad-file`, `truncated`, `unsupported`, `network`, `out-of-memory`, `aborted`.
   */
  load(source: Source, options?: LoadOptions): Promise<Model>;
  /** Memory that `load` would take, from the file's header alone. */
  estimate(source: Source, options?: LoadOptions): Promise<Estimate>;
  /** Only the tokenizer: of a model, whose header alone is read, or of a tokenizer file. Takes what `load` takes. */
  loadTokenizer(source: Source, options?: LoadOptions): Promise<Tokenizer>;
}

const anything = (expected: string): Rule => ({ expected, accepts: (value) => typeof value === 'object' && value !== null, otherwise: 'none' });

const isAdapter = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'source' in value && (!('scale' in value) || value.scale === undefined || Number.isFinite(value.scale));
const isAdapters = (value: unknown): boolean => Array.isArray(value) && value.every(isAdapter);

const isCount = (value: unknown): boolean => value === undefined || (Number.isSafeInteger(value) && (value as number) > 0);
export const isLimits = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.entries(value).every(([name, count]) => (name === 'steps' || name === 'output') && isCount(count));

const RULES: Readonly<Record<keyof LoadOptions, Rule>> = {
  threads: whole(1, MOST_THREADS, 'one per processor'),
  build: { ...oneOf(...BUILDS), otherwise: 'the fastest one' },
  contextLength: whole(1, MOST_CONTEXT, "the model's own, at most 4096"),
  maxCacheBytes: whole(1, Number.MAX_SAFE_INTEGER, 'all that memory has'),
  kvCache: oneOf(...KV_TYPES),
  activations: oneOf('q8', 'f32'),
  lora: { expected: 'a list of { source, scale }, scale a number', accepts: isAdapters, otherwise: 'none' },
  tokenizer: { expected: 'a path, URL, File or bytes', accepts: (value) => isText(value) || anything('').accepts(value), otherwise: "the model's own" },
  chatTemplate: { expected: 'a template in Jinja, or "chatml"', accepts: isText, otherwise: "the model's own" },
  templateLimits: { expected: '{ steps, output }, both whole numbers above 0', accepts: isLimits, otherwise: '2 million steps, 4 million characters' },
  signal: abortSignal,
  onProgress: callback,
  headers: anything('an object of HTTP headers'),
  timeout: { expected: 'a number of milliseconds above 0', accepts: (value) => typeof value === 'number' && value > 0, otherwise: '60000' },
  kernels: callback,
  workerUrl: { expected: 'an address', accepts: (value) => isText(value) || value instanceof URL, otherwise: 'the embedded worker' },
};

export function chooseBuild(host: Host, asked: Build | undefined): Build {
  if (asked === undefined) return host.builds[0]!;
  if (host.builds.includes(asked)) return asked;
  throw new StonechatError({
    code: 'unavailable',
    expected: `a build that works here: ${host.builds.join(', ')}`,
    found: asked,
    remedy: 'Leave `build` out for the fastest one; relaxed SIMD needs Node 22, a current browser or workerd.',
  });
}

function chooseThreads(host: Host, asked: number | undefined, fileBytes: number): number {
  if (!host.canThread) return 1;
  const usual = fileBytes < SMALL_MODEL_BYTES ? 1 : Math.min(host.processors, DEFAULT_MOST_THREADS);
  return asked ?? usual;
}

function runnerOptions(host: Host, file: ModelFile, options: LoadOptions): RunnerOptions {
  return {
    build: chooseBuild(host, options.build),
    threads: chooseThreads(host, options.threads, file.fileBytes),
    contextLength: options.contextLength,
    maxCacheBytes: options.maxCacheBytes,
    kvCache: options.kvCache ?? 'f32',
    activations: options.activations ?? 'q8',
    signal: options.signal,
    onProgress: options.onProgress,
  };
}

/** Kernels that the tokenizer merges with: any build gives the same ids. The model's own, so that a page fetches only one. */
async function textKernels(host: Host, { build, threads }: Pick<RunnerOptions, 'build' | 'threads'>) {
  return { build, module: await host.compile(build, threads > 1) };
}

/** `meter`: hears of each file by itself. */
const places = (host: Host, options: LoadOptions, meter?: LoadMeter) => {
  const open: Host['open'] = (location, more) => host.open(location, meter && more?.onProgress ? { ...more, onProgress: meter.part() } : more);
  return { ...options, open, list: host.list.bind(host) };
};

/** A chunk of its own: few pages bring adapters. */
async function withAdapters(model: ModelFile, lora: NonNullable<LoadOptions['lora']>, host: Host, options: LoadOptions): Promise<ModelFile> {
  const { openAdapters } = await import('../files/adapter-set.js');
  return openAdapters(model, lora, (adapter) => openModel(adapter, { ...places(host, options), onProgress: undefined }));
}

/** Opens, uses and closes a model file. */
async function withModel<T>(host: Host, source: Source, options: LoadOptions, use: (file: ModelFile) => Promise<T>, meter?: LoadMeter): Promise<T> {
  const model = await openModel(source, places(host, options, meter));
  const file = options.lora?.length ? await withAdapters(model, options.lora, host, options) : model;
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

async function tokenizerOf(host: Host, file: ModelFile, options: LoadOptions, settings: RunnerOptions): Promise<Tokenizer> {
  const kernels = await textKernels(host, settings);
  return options.tokenizer === undefined ? tokenizerFromModel(file, kernels) : tokenizerAt(options.tokenizer, kernels, places(host, options));
}

function checkVocabulary(tokenizer: Tokenizer, vocabulary: number): void {
  if (tokenizer.size <= vocabulary) return;
  throw new StonechatError({
    code: 'bad-option',
    expected: `a tokenizer of at most ${vocabulary} ids, as many as the model has`,
    found: `${tokenizer.size} ids`,
    remedy: 'Name the tokenizer that the model was trained with.',
  });
}

function describeModel(file: ModelFile, { runner, network, need }: LoadedRunner, { build, kvCache, contextLength }: RunnerOptions): ModelInfo {
  const sizes = network.graph.weights.map(({ name }) => file.tensors.get(name)!.shape.reduce((a, b) => a * b, 1));
  return {
    name: String(file.metadata.get('general.name') ?? file.name),
    format: file.format,
    architecture: String(file.metadata.get('general.architecture')),
    parameters: sizes.reduce((a, b) => a + b, 0),
    contextLength: runner.contextLength,
    trainedContextLength: network.context.trained,
    layers: network.layers,
    vocabulary: runner.vocabulary,
    build,
    threads: runner.threads,
    kvCache,
    memoryBytes: need.total,
    warnings: warningsOf(file, network.context, contextLength),
  };
}

async function loadFrom(host: Host, file: ModelFile, options: LoadOptions): Promise<Model> {
  const settings = runnerOptions(host, file, options);
  const { tokenizer, ...loaded } = await loadBoth(host, file, options, settings);
  try {
    checkVocabulary(tokenizer, loaded.runner.vocabulary);
    const { runner, arena } = loaded;
    const parts = { runner, arena, tokenizer, renderChat: chatRenderer(tokenizer, options), yield: () => host.yield() };
    return createModel(parts, describeModel(file, loaded, settings));
  } catch (error) {
    loaded.runner.dispose(); // its workers
    throw error;
  }
}

/** The tokenizer is built while the first weights are read. */
async function loadBoth(host: Host, file: ModelFile, options: LoadOptions, settings: RunnerOptions): Promise<LoadedRunner & { tokenizer: Tokenizer }> {
  let building: Promise<Tokenizer> | undefined;
  const build = () => (building ??= tokenizerOf(host, file, options, settings));
  const loaded = await loadRunner(host, file, { ...settings, meanwhile: async () => void (await build()) });
  return { ...loaded, tokenizer: await build() };
}

/** Binds loading to a host. */
export function createStonechat(plain: Host): Stonechat {
  const configured = (options: LoadOptions) => {
    checkRules('load()', options, RULES);
    return plain.configure(options);
  };
  return {
    async load(source, options = {}) {
      const host = configured(options);
      const meter = options.onProgress && new LoadMeter(options.onProgress);
      const heard = meter ? { ...options, onProgress: meter.hear } : options;
      return withModel(host, source, heard, (file) => loadFrom(host, file, heard), meter);
    },
    async estimate(source, options = {}) {
      const host = configured(options);
      return withModel(host, source, options, async (file) => {
        const need = await estimateMemory(host, file, runnerOptions(host, file, options));
        return { fileBytes: file.fileBytes, ...need, kvCacheBytes: need.kvCache, fits: need.total <= heapBytes };
      });
    },
    async loadTokenizer(source, options = {}) {
      const host = configured(options);
      return tokenizerAt(source, await textKernels(host, { build: chooseBuild(host, options.build), threads: 1 }), places(host, options));
    },
  };
}
