import type { ByteSource } from '../files/types.js';
import type { HostSettings, OpenOptions } from '../host/host.js';
import type { Build } from '../kernels/instance.js';
import type { Sampler } from '../sample/types.js';
import type { EncodeOptions, Tokenizer } from '../text/types.js';

/** Where a model comes from. An array holds the shards of a split model or the files of a Hugging Face folder. */
export type Source = string | URL | Blob | ArrayBuffer | Uint8Array | ReadableStream<Uint8Array> | Response | AsyncIterable<Uint8Array> | ByteSource | SourceFile[];
export type SourceFile = string | URL | File | ByteSource;

export interface LoraSource {
  readonly source: Source;
  /** Multiplies what the adapter adds. Default 1. */
  readonly scale?: number;
}

export interface LoadOptions extends OpenOptions, HostSettings {
  /** Threads that compute, the caller's included. Default: the host's processors (at most 8); 1 where there are no workers. */
  threads?: number;
  /** Default: the fastest that is right on this host. All give the same bits. */
  build?: Build;
  /** Tokens of context to reserve memory for. Default: the model's own, at most 4096. */
  contextLength?: number;
  /** Element type of the KV cache. Default 'f32'. */
  kvCache?: 'f32' | 'q8_0';
  /** 'q8' (default) quantises activations to int8 per block of 32 for quantised weights, as llama.cpp does; 'f32' does not. */
  activations?: 'q8' | 'f32';
  /** Low-rank adapters (llama.cpp's GGUF format) to apply as the model runs; their effects add up. */
  lora?: readonly LoraSource[];
  /** A tokenizer file, where the model carries none. */
  tokenizer?: Source;
  /** A chat template (Jinja source) in place of the model's own; 'chatml' for the usual one. */
  chatTemplate?: string;
}

/** Memory needed, before anything is loaded. Bytes. */
export interface Estimate {
  fileBytes: number;
  weights: number;
  kvCache: number;
  scratch: number;
  total: number;
  fits: boolean;
  /** As `info.warnings` of the loaded model. */
  warnings: readonly string[];
}

/** How far the prompt is, in tokens. */
export interface PrefillProgress {
  phase: 'prefill';
  done: number;
  total: number;
}

/** Samplers run in the order bias, penalties, topK, temperature, typicalP, topP, minP; see docs/generation.md. */
export interface GenerateOptions extends EncodeOptions {
  /** Tokens to generate at most. Default: up to the context length. */
  maxTokens?: number;
  /** 0 is greedy. Default 0.8. */
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  typicalP?: number;
  repetitionPenalty?: number;
  presencePenalty?: number;
  frequencyPenalty?: number;
  /** How many of the latest ids the penalties look at. Default 64; -1 all. */
  penaltyWindow?: number;
  /** Added to the logits, by id; -Infinity forbids. */
  logitBias?: Record<number, number> | ReadonlyMap<number, number>;
  /** Your own list of samplers, in place of the options above. */
  samplers?: readonly Sampler[];
  /** Of the xorshift64* generator: the same seed gives the same text on every machine. Default: random, reported in the summary. */
  seed?: number | bigint;
  /** Text that ends the generation; it is not part of the output. */
  stop?: string | readonly string[];
  stopIds?: readonly number[];
  /** Go on after EOS. */
  ignoreEos?: boolean;
  /** Keep what the session's KV cache shares with the new prompt. Default true. */
  reusePrefix?: boolean;
  /** When the context is full: 'error' (default) or 'slide' (forget the oldest half, keep going). */
  overflow?: 'error' | 'slide';
  /** Alternatives reported with each token: the most likely tokens before any sampler. Default 5. */
  top?: number;
  /** Hash the bits of all logits into summary.logitsHash. Default false (it costs a pass over the vocabulary). */
  hashLogits?: boolean;
  /** Ends the generation with a StonechatError `aborted` whose cause is the signal's reason. */
  signal?: AbortSignal;
  /** Called before each piece of the prompt (64 tokens at most) and after the last. */
  onProgress?: (progress: PrefillProgress) => void;
}

/** Of `Model.score`: a part of the options of generate(). */
export type ScoreOptions = Pick<GenerateOptions, 'top' | 'signal' | 'addSpecial' | 'parseSpecial'>;

export type Finish = 'stop' | 'length' | 'eos' | 'context' | 'aborted';

export interface Alternative {
  id: number;
  text: string;
  /** Natural logarithm of the model's probability (temperature 1, before any sampler). */
  logprob: number;
}

export interface Token {
  id: number;
  /** Newly readable text; may be empty in the middle of a character or of a possible stop string. */
  text: string;
  logprob: number;
  /** Of the model's distribution, in nats. */
  entropy: number;
  top: Alternative[];
  /** Set on the last token only. */
  finish?: Finish;
}

export interface Summary {
  finish: Finish | undefined;
  promptTokens: number;
  /** Prompt tokens that were already in the cache. */
  reusedTokens: number;
  tokens: number;
  text: string;
  seed: bigint;
  prefillSeconds: number;
  decodeSeconds: number;
  prefillTokensPerSecond: number;
  decodeTokensPerSecond: number;
  /** 16 hexadecimal digits: FNV-1a (64 bit) over the 32-bit words of every logits vector sampled from, in order. */
  logitsHash: string | undefined;
}

/** `for await (const token of generation)`; the summary fills in as it runs. */
export interface Generation extends AsyncIterableIterator<Token, undefined, undefined> {
  readonly summary: Summary;
}

export interface ChatMessage {
  role: string;
  content: string;
  [extra: string]: unknown;
}

/** One conversation: its own KV cache. Generations on one session queue; those of different sessions interleave. */
export interface Session {
  generate(prompt: string | ArrayLike<number> | readonly ChatMessage[], options?: GenerateOptions): Generation;
  dispose(): void;
  [Symbol.dispose](): void;
}

export interface ModelInfo {
  name: string;
  format: string;
  architecture: string;
  parameters: number;
  contextLength: number;
  trainedContextLength: number;
  layers: number;
  vocabulary: number;
  build: Build;
  threads: number;
  kvCache: 'f32' | 'q8_0';
  memoryBytes: number;
  /** What you should know of the file although it can be used: one sentence each. */
  warnings: readonly string[];
}

export interface Model extends Session {
  readonly tokenizer: Tokenizer;
  readonly info: ModelInfo;
  createSession(): Session;
  /** Logits of the last position, without touching any session. Length = vocabulary. */
  logits(prompt: string | ArrayLike<number>, options?: { signal?: AbortSignal }): Promise<Float32Array>;
  /**
   * What the model thought before each token of a text: every token after the first, with the probability it had. Their
   * mean `-logprob` is the log of the perplexity. Without touching any session.
   */
  score(prompt: string | ArrayLike<number> | readonly ChatMessage[], options?: ScoreOptions): AsyncGenerator<Token, undefined>;
  /** The prompt text that the model's chat template makes of the messages. */
  renderChat(messages: readonly ChatMessage[], options?: Record<string, unknown>): Promise<string>;
}
