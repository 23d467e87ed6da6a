import { StonechatError } from '../errors.js';
import { openModel, readSmallFile } from '../files/index.js';
import type { ModelFile } from '../files/types.js';
import { createModel } from '../generate/model.js';
import type { ChatMessage, Estimate, LoadOptions, Model, ModelInfo, Source } from '../generate/types.js';
import type { Host } from '../host/host.js';
import { type Build, BUILDS } from '../kernels/instance.js';
import { estimateMemory, heapBytes, type LoadedRunner, loadRunner, type RunnerOptions } from '../run/load.js';
import { renderChat } from '../text/chat.js';
import { type KernelSource, tokenizerFromFile, tokenizerFromModel } from '../text/index.js';
import type { Tokenizer } from '../text/types.js';

const MOST_THREADS = 64;
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
  /** Only the tokenizer of a model, or of a tokenizer file. */
  loadTokenizer(source: Source, options?: LoadOptions): Promise<Tokenizer>;
}

function badOption(name: string, expected: string, found: unknown, remedy: string): StonechatError {
  return new StonechatError({ code: 'bad-option', expected: `${name} to be ${expected}`, found: String(found), remedy });
}

function chooseBuild(host: Host, asked: Build | undefined): Build {
  if (asked === undefined) return host.builds[0]!;
  if (!BUILDS.includes(asked)) throw badOption('build', BUILDS.join(', '), asked, 'Leave it out for the fastest one.');
  if (host.builds.includes(asked)) return asked;
  throw new StonechatError({
    code: 'unavailable',
    expected: `a build that works here: ${host.builds.join(', ')}`,
    found: asked,
    remedy: 'Leave `build` out for the fastest one; relaxed SIMD needs Node 22, a current browser or workerd.',
  });
}

function chooseThreads(host: Host, asked: number | undefined, fileBytes: number): number {
  if (asked !== undefined && (!Number.isInteger(asked) || asked < 1 || asked > MOST_THREADS)) {
    throw badOption('threads', `a whole number from 1 to ${MOST_THREADS}`, asked, 'Leave it out for one per processor.');
  }
  if (!host.canThread) return 1;
  const usual = fileBytes < SMALL_MODEL_BYTES ? 1 : Math.min(host.processors, DEFAULT_MOST_THREADS);
  return asked ?? usual;
}

function oneOf<T extends string>(name: string, value: T | undefined, values: readonly [T, ...T[]]): T {
  if (value === undefined) return values[0];
  if (values.includes(value)) return value;
  throw badOption(name, values.join(' or '), value, `Leave it out for ${values[0]}.`);
}

function runnerOptions(host: Host, file: ModelFile, options: LoadOptions): RunnerOptions {
  return {
    build: chooseBuild(host, options.build),
    threads: chooseThreads(host, options.threads, file.fileBytes),
    contextLength: options.contextLength,
    kvCache: oneOf('kvCache', options.kvCache, ['f32', 'q8_0']),
    activations: oneOf('activations', options.activations, ['q8', 'f32']),
    signal: options.signal,
    onProgress: options.onProgress,
  };
}

/** Kernels that the tokenizer merges with: any build gives the same ids. The model's own, so that a page fetches only one. */
async function textKernels(host: Host, { build, threads }: Pick<RunnerOptions, 'build' | 'threads'>) {
  return { build, module: await host.compile(build, threads > 1) };
}

const places = (host: Host, options: LoadOptions) => ({ ...options, open: host.open.bind(host), list: host.list.bind(host) });

/** Opens, uses and closes a model file. */
async function withModel<T>(host: Host, source: Source, options: LoadOptions, use: (file: ModelFile) => Promise<T>): Promise<T> {
  const file = await openModel(source, places(host, options));
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

async function readTokenizer(host: Host, source: Source, options: LoadOptions, kernels: KernelSource): Promise<Tokenizer> {
  const { name, bytes, sibling } = await readSmallFile(source, places(host, options));
  return tokenizerFromFile(name, bytes, kernels, sibling);
}

async function tokenizerOf(host: Host, file: ModelFile, options: LoadOptions, settings: RunnerOptions): Promise<Tokenizer> {
  const kernels = await textKernels(host, settings);
  return options.tokenizer === undefined ? tokenizerFromModel(file, kernels) : readTokenizer(host, options.tokenizer, options, kernels);
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

function describeModel(file: ModelFile, { runner, graph, need }: LoadedRunner, { build, kvCache }: RunnerOptions): ModelInfo {
  const sizes = graph.weights.map(({ name }) => file.tensors.get(name)!.shape.reduce((a, b) => a * b, 1));
  return {
    name: String(file.metadata.get('general.name') ?? file.name),
    format: file.format,
    architecture: String(file.metadata.get('general.architecture')),
    parameters: sizes.reduce((a, b) => a + b, 0),
    contextLength: runner.contextLength,
    trainedContextLength: graph.trainedContext,
    layers: graph.layers,
    vocabulary: graph.vocabulary,
    build,
    threads: runner.threads,
    kvCache,
    memoryBytes: need.total,
  };
}

async function loadFrom(host: Host, file: ModelFile, options: LoadOptions): Promise<Model> {
  const settings = runnerOptions(host, file, options);
  const tokenizer = await tokenizerOf(host, file, options, settings);
  const loaded = await loadRunner(host, file, settings);
  checkVocabulary(tokenizer, loaded.graph.vocabulary);
  const name = (id: number | undefined) => (id === undefined ? undefined : tokenizer.token(id));
  const render = (messages: readonly ChatMessage[], more: Record<string, unknown> = {}) =>
    renderChat(tokenizer.chatTemplate, messages, { bos_token: name(tokenizer.bos), eos_token: name(tokenizer.eos), ...more });
  const parts = { runner: loaded.runner, arena: loaded.arena, tokenizer, renderChat: render, yield: () => host.yield() };
  return createModel(parts, describeModel(file, loaded, settings));
}

/** Binds loading to a host. */
export function createStonechat(plain: Host): Stonechat {
  return {
    load(source, options = {}) {
      const host = plain.configure(options);
      return withModel(host, source, options, (file) => loadFrom(host, file, options));
    },
    estimate(source, options = {}) {
      const host = plain.configure(options);
      return withModel(host, source, options, async (file) => {
        const need = await estimateMemory(host, file, runnerOptions(host, file, options));
        return { fileBytes: file.fileBytes, ...need, fits: need.total <= heapBytes };
      });
    },
    async loadTokenizer(source, options = {}) {
      const host = plain.configure(options);
      return readTokenizer(host, source, options, await textKernels(host, { build: chooseBuild(host, options.build), threads: 1 }));
    },
  };
}
