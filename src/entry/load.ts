import { StonechatError } from '../errors.js';
import { openModel, readSmallFile } from '../files/index.js';
import type { ModelFile } from '../files/types.js';
import { createSession } from '../generate/session.js';
import type { ChatMessage, Estimate, LoadOptions, Model, ModelInfo, Session, Source } from '../generate/types.js';
import type { Host } from '../host/host.js';
import { type Build, BUILDS, instantiateKernels } from '../kernels/instance.js';
import { estimateMemory, heapBytes, type LoadedRunner, loadRunner, type RunnerOptions } from '../run/load.js';
import { aborted } from '../run/weights.js';
import { renderChat } from '../text/chat.js';
import { tokenizerFromFile, tokenizerFromModel } from '../text/index.js';
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

/** Binds loading to a host. */
export function createStonechat(host: Host): Stonechat {
  const places = (options: LoadOptions) => ({ ...options, open: host.open.bind(host), list: host.list.bind(host) });
  const open = (source: Source, options: LoadOptions) => openModel(source, places(options));
  const textKernels = async () => instantiateKernels(await host.compile('simd', false), 'simd');

  async function tokenizerOf(file: ModelFile, options: LoadOptions): Promise<Tokenizer> {
    if (options.tokenizer === undefined) return tokenizerFromModel(file, await textKernels());
    return loadTokenizer(options.tokenizer, options);
  }

  async function loadTokenizer(source: Source, options: LoadOptions = {}): Promise<Tokenizer> {
    const { name, bytes, sibling } = await readSmallFile(source, places(options));
    return tokenizerFromFile(name, bytes, await textKernels(), sibling);
  }

  async function load(source: Source, options: LoadOptions = {}): Promise<Model> {
    const file = await open(source, options);
    try {
      const settings = runnerOptions(host, file, options);
      const tokenizer = await tokenizerOf(file, options);
      const loaded = await loadRunner(host, file, settings);
      return createModel(host, file, tokenizer, loaded, settings);
    } finally {
      await file.close();
    }
  }

  async function estimate(source: Source, options: LoadOptions = {}): Promise<Estimate> {
    const file = await open(source, options);
    try {
      const need = await estimateMemory(host, file, runnerOptions(host, file, options));
      return { fileBytes: file.fileBytes, ...need, fits: need.total <= heapBytes };
    } finally {
      await file.close();
    }
  }

  return { load, estimate, loadTokenizer };
}
