/** The three builds of the one kernel source. All give the same bits; they differ in speed. */
export type Build = 'scalar' | 'simd' | 'relaxed';

/**
 * Kernels come in sets, so that nobody downloads those of weights that a file has not: `core`, which every model needs, and one for each
 * kind of weights (src/kernels/weight-types.ts).
 */
export type KernelSet = 'core' | 'floats' | 'q0' | 'q1' | 'k' | 'q6';

/** Random access to bytes: a file, a URL, a Blob, a buffer, or a stream read front to back. */
export interface ByteSource {
  /** For messages, and to find sibling files (shards, tokenizer.json). */
  readonly name: string;
  /** Bytes, or -1 while unknown (a stream without a length). */
  readonly size: number;
  /** Fills `into` with the bytes from `offset` on; `into` may be a view of shared memory. @throws StonechatError `truncated`. */
  read(offset: number, into: Uint8Array): Promise<void>;
  /** Fills as much of `into` as there is and returns how much: for sources that do not know their size. */
  readUpTo?(offset: number, into: Uint8Array): Promise<number>;
  /** Reads need no memory but `into`, in any number at once. */
  readonly direct?: boolean;
  /** Reading means downloading. */
  readonly remote?: boolean;
  /** Lets go of connections that the next read can open again. */
  pause?(): Promise<void>;
  close(): Promise<void>;
}

/** A message channel to one worker. */
export interface WorkerHandle {
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Called once when the worker dies or cannot start. */
  onFailure(listener: (reason: unknown) => void): void;
  terminate(): void;
}

/** What this machine offers. Passed in by an entry, never sniffed: src/ knows no runtime but through this. */
export interface Host {
  readonly name: 'node' | 'browser' | 'edge';
  /** Builds that give right results here, fastest first (Node 20's relaxed dot is wrong: absent there). */
  readonly builds: readonly Build[];
  /** Whether a shared memory and workers can be used now (browsers: cross-origin isolation). */
  readonly canThread: boolean;
  /** May the calling thread block in Atomics.wait? Not on a page's main thread, nor in workerd. */
  readonly canWait: boolean;
  /** Logical processors, 1 if unknown. */
  readonly processors: number;
  /** The compiled kernels of a build: `core`, or another set. */
  compile(build: Build, shared: boolean, set?: KernelSet): Promise<WebAssembly.Module>;
  /** Starts a worker that runs the kernel worker program. @throws StonechatError `unavailable`. */
  startWorker(): WorkerHandle;
  /** Opens a file path or a relative/absolute URL. @throws StonechatError `not-found`, `unavailable`. */
  open(location: string, options?: OpenOptions): Promise<ByteSource>;
  /** Names in the folder `location`, or undefined when it is no folder (or the host cannot list). */
  list(location: string): Promise<string[] | undefined>;
  /**
   * Writes a file whole or not at all: aside, flushed to the disk, then renamed over what was there, whose mode stays. Links are
   * written through. Saves to one file wait for each other.
   * @throws StonechatError `unavailable` where there is no disk, or it refuses.
   */
  save(location: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>;
  /**
   * Before work begins: whether `outputs` can be written, and none of them is one of `inputs` or of the others, by whatever name
   * (files are compared, not names; URLs are nobody's outputs).
   * @throws StonechatError `bad-option` for an output that is read too, `unavailable` for one that cannot be written.
   */
  checkOutputs(outputs: readonly string[], inputs: readonly string[]): Promise<void>;
  /** Lets timers, signals and I/O run. */
  yield(): Promise<void>;
  /** The same host with these settings; those left undefined stay as they are. */
  configure(settings: HostSettings): Host;
}

/** Kernels in any form that can become a module: compiled, bytes, or the answer to a fetch. */
export type KernelCode = WebAssembly.Module | ArrayBuffer | ArrayBufferView<ArrayBuffer> | Response;

/** The kernels of training likewise: one module. */
export type TrainKernelSource = (build: Build, shared: boolean) => KernelCode | Promise<KernelCode>;

/** What a page or an edge function may bring itself, where policy or packaging forbids what is embedded. */
export interface HostSettings {
  /** Replaces the embedded kernels, for instance by `fetch('/kernels/q0/relaxed-shared.wasm')`. Asked for `core`, and the sets of a file's weights. */
  kernels?: (build: Build, shared: boolean, set: KernelSet) => KernelCode | undefined | Promise<KernelCode | undefined>;
  /** Address of `stonechat/worker.js` served by the page's own origin, where a policy forbids workers from `blob:`. */
  workerUrl?: string | URL;
}

/** How far loading is, in bytes. */
export interface Progress {
  /** 'download' while bytes come over the network, 'load' while weights are read from a disk or memory, and when all is done. */
  phase: 'download' | 'load';
  /** Never falls. */
  done: number;
  /** -1 while unknown. */
  total: number;
}

/** How a source is opened. */
export interface OpenOptions {
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  /** Sent with URL requests (authorisation, for instance). */
  headers?: Record<string, string>;
  /** Milliseconds that a server may send next to nothing (below 1 KiB) before it is given up. Default 60,000. */
  timeout?: number;
}

export const mergeSettings = (old: HostSettings, { kernels, workerUrl }: HostSettings): HostSettings => ({
  kernels: kernels ?? old.kernels,
  workerUrl: workerUrl ?? old.workerUrl,
});
