// The caller's side of a model in a worker.
import { StonechatError } from '../errors.js';
import { checkAppendOptions, checkOptions, checkSaved } from '../generate/options.js';
import { checkPrompt } from '../generate/prompt.js';
import { abortSignal, callback, checkRules, refuse } from '../generate/rules.js';
import type { ChatMessage, GenerateOptions, LoraSource, Session } from '../generate/types.js';
import type { Build, HostSettings, KernelCode, KernelSet } from '../host/host.js';
import { workerFailed } from './failure.js';
import { RemoteGeneration, remoteTokens } from './generation.js';
import { type Methods, Peer } from './peer.js';
import type { AppendCall, Beginning, Lacking, LoadCall, Loaded, PackedLoadOptions } from './protocol.js';
import { render } from './render.js';
import { Shelf } from './source.js';
import { remoteTokenizer } from './tokenizer.js';
import type { WorkerLoadOptions, WorkerModel } from './types.js';

/** A worker that runs the model program. */
export interface ModelWorker {
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  onFailure(listener: (reason: unknown) => void): void;
  /** Whether someone waits for it; while nobody does, it does not keep a process alive. */
  busy(yes: boolean): void;
  terminate(): void;
}

/** What a host offers for models in workers. */
export interface ModelWorkerHost {
  /** `whole`: with the parts that few models need. @throws StonechatError `unavailable` */
  start(options: Pick<WorkerLoadOptions, 'modelWorkerUrl'> & { readonly whole: boolean }): Promise<ModelWorker>;
  /** An address that means the same in the worker. */
  resolve(location: string): string;
  /** The embedded kernels. */
  readonly kernels: NonNullable<HostSettings['kernels']>;
}

const disposed = () =>
  new StonechatError({ code: 'disposed', expected: 'a live session', found: 'one that was disposed', remedy: 'Load the model again, or make a new session of it.' });

/** Kernels as a message can carry them. */
async function cloneable(code: KernelCode | undefined): Promise<WebAssembly.Module | BufferSource | undefined> {
  if (Object.prototype.toString.call(code) !== '[object Response]') return code as WebAssembly.Module | BufferSource | undefined;
  const response = code as Response;
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}`);
  return response.arrayBuffer();
}

/** What is no list of adapters goes as it is, to be refused there. */
function packAdapters(shelf: Shelf, lora: readonly LoraSource[]): NonNullable<PackedLoadOptions['lora']> {
  if (!Array.isArray(lora)) return lora as never;
  return lora.map((each: LoraSource) => (typeof each === 'object' && each !== null ? { ...each, source: shelf.pack(each.source) } : (each as never)));
}

function packOptions(shelf: Shelf, host: ModelWorkerHost, options: WorkerLoadOptions): PackedLoadOptions {
  const { lora, tokenizer, workerUrl, signal: _signal, onProgress: _progress, kernels: _kernels, modelWorkerUrl: _url, ...plain } = options;
  const packed: PackedLoadOptions = { ...plain };
  if (lora !== undefined) packed.lora = packAdapters(shelf, lora);
  if (tokenizer !== undefined) packed.tokenizer = shelf.pack(tokenizer);
  if (workerUrl !== undefined) packed.workerUrl = host.resolve(String(workerUrl));
  return packed;
}

const FUNCTIONS = { signal: abortSignal, onProgress: callback, kernels: callback };

/** @throws StonechatError `bad-option` for what only this side can check; the worker checks the rest. */
function checkHere(options: WorkerLoadOptions): void {
  if (typeof options !== 'object' || options === null) checkRules('loadInWorker()', options, {});
  const { signal, onProgress, kernels } = options;
  checkRules('loadInWorker()', { signal, onProgress, kernels }, FUNCTIONS);
}

/** Both ends of the channel to a worker: its answers, and what it may ask. */
function connect(worker: ModelWorker, methods: Methods): Peer {
  const peer = new Peer((message) => worker.post(message), methods, (busy) => worker.busy(busy));
  worker.onMessage((message) => peer.receive(message));
  worker.onFailure((reason) => peer.close(workerFailed(`that it died: ${String(reason)}`, reason)));
  return peer;
}

/** Loads a model into a worker of its own; see `loadInWorker` of the entries. */
export async function startModel(host: ModelWorkerHost, source: unknown, options: WorkerLoadOptions = {}): Promise<WorkerModel> {
  checkHere(options);
  const { signal, kernels = host.kernels } = options;
  const shelf = new Shelf(host.resolve);
  const call: LoadCall = { source: shelf.pack(source), options: packOptions(shelf, host, options) };
  const onEvent = options.onProgress as ((event: unknown) => void) | undefined;
  const methods: Methods = {
    ...shelf.methods,
    render,
    kernels: async ({ build, shared, set }: { build: Build; shared: boolean; set: KernelSet }) => cloneable(await kernels(build, shared, set)),
  };
  const start = async (whole: boolean): Promise<WorkerModel | undefined> => {
    const worker = await host.start({ modelWorkerUrl: options.modelWorkerUrl, whole });
    const peer = connect(worker, methods);
    const end = (error: unknown) => {
      peer.close(error);
      worker.terminate();
    };
    try {
      const loaded = await peer.call<Loaded | Lacking>('load', call, { signal, onEvent });
      if (!('lacking' in loaded)) return createModel(peer, loaded, () => end(disposed()));
    } catch (error) {
      end(error);
      throw error;
    }
    end(disposed());
    return undefined;
  };
  const lean = shelf.isUsed || options.lora || options.tokenizer || Array.isArray(source) ? undefined : await start(false);
  return lean ?? ((await start(true)) as WorkerModel);
}

/** Options of generate() as a message can carry them, checked as `generate` does. */
function checkGenerate(options: GenerateOptions | undefined, vocabulary: number) {
  const { seed, signal, onProgress } = checkOptions(options, vocabulary);
  const { signal: _, onProgress: __, samplers, constraint, ...plain } = options ?? {};
  const functions = samplers ? 'samplers' : constraint && 'constraint';
  if (functions) {
    const remedy = 'A worker cannot be given functions: use topK, temperature and their kin, or `load`.';
    refuse('options that a worker can be given', `\`${functions}\`, which holds functions`, remedy);
  }
  return { packed: { ...plain, seed }, watching: { seed, signal, onProgress } };
}

function createModel(peer: Peer, { info, tokenizer }: Loaded, end: () => void): WorkerModel {
  const { vocabulary } = info;
  let sessions = 0;
  let alive = true;

  /** A session that the worker has under this number, or will have once it has read `begin`. */
  function open(session: number, begin?: { method: string; [more: string]: unknown }): Session {
    let live = true;
    const check = () => {
      if (!live || !alive) throw disposed();
    };
    const tell = (method: string, more?: object) => void peer.call(method, { session, ...more }).catch(() => {}); // a dead worker is told by who waits for it
    if (begin) tell(begin.method, begin);

    function generate(prompt: unknown, options?: GenerateOptions) {
      check();
      const { packed, watching } = checkGenerate(options, vocabulary);
      const beginning: Beginning = { kind: 'generate', session, prompt: checkPrompt(prompt, vocabulary), options: packed };
      return new RemoteGeneration(peer, beginning, watching);
    }
    function dispose(): void {
      if (live && alive) tell('closeSession');
      live = false;
    }
    const score: Session['score'] = (prompt, { signal, onProgress, ...options } = {}) => {
      check();
      return remoteTokens(peer, { kind: 'score', session, prompt, options }, { signal, onProgress });
    };
    const append: Session['append'] = async (prompt, options = {}) => {
      check();
      const { signal, onProgress, ...plain } = checkAppendOptions(options, vocabulary);
      const call: AppendCall = { session, prompt: checkPrompt(prompt, vocabulary), options: plain };
      return peer.call('append', call, { signal, onEvent: onProgress as ((event: unknown) => void) | undefined });
    };
    const fork = (): Session => {
      check();
      const number = ++sessions;
      tell('forkSession', { fork: number });
      return open(number);
    };
    const save: Session['save'] = async () => {
      check();
      return peer.call('saveSession', { session });
    };
    return { generate, score, append, fork, save, dispose, [Symbol.dispose]: dispose };
  }

  async function restoreSession(saved: Uint8Array): Promise<Session> {
    checkSaved(saved);
    if (!alive) throw disposed();
    const session = ++sessions;
    await peer.call('restoreSession', { session, saved });
    return open(session);
  }

  const own = open(0);
  function dispose(): void {
    alive = false;
    end();
  }
  return {
    ...own,
    info,
    tokenizer: remoteTokenizer(peer, tokenizer),
    createSession: () => open(++sessions, { method: 'openSession' }),
    restoreSession,
    logits: async (prompt, { signal, ...options } = {}) => peer.call('logits', { prompt: checkPrompt(prompt, vocabulary), options }, { signal }),
    renderChat: async (messages: readonly ChatMessage[], options?: Record<string, unknown>) => peer.call('renderChat', { messages, options }),
    dispose,
    [Symbol.dispose]: dispose,
  };
}
