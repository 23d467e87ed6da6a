/// <reference lib="esnext.disposable" preserve="true" />
import type { ByteSource } from '../files/types.js';
import type { HostSettings, OpenOptions } from '../host/host.js';
import type { Build } from '../kernels/instance.js';
import type { Constraint, Sampler } from '../sample/types.js';
import type { TemplateLimits } from '../text/chat.js';
import type { EncodeOptions, Tokenizer } from '../text/types.js';

/** Where a model comes from. An array holds the shards of a split model or the files of a Hugging Face folder. */
export type Source = string | URL | Blob | ArrayBuffer | Uint8Array | ReadableStream<Uint8Array> | Response | AsyncIterable<Uint8Array> | ByteSource | SourceFile[];
/** One of the files of a model that has several. */
export type SourceFile = string | URL | File | ByteSource;

/** An adapter, and how strongly it is applied. */
export interface LoraSource {
  readonly source: Source;
  /** Multiplies what the adapter adds. Default 1. */
  readonly scale?: number;
}

/** Options of `load`. */
export interface LoadOptions extends OpenOptions, HostSettings {
  /** Threads that compute, the caller's included. Default: the host's processors (at most 8); 1 where there are no workers. */
  threads?: number;
  /** Default: the fastest that is right on this host. All give the same bits. */
  build?: Build;
  /** Tokens of context to reserve memory for. Default: the model's own, at most 4096. */
  contextLength?: number;
  /**
   * Bytes that the KV caches of all sessions may take together. Before a session is refused more, sessions at rest forget what they
   * hold, the oldest first. Default: what the 4 GiB of WebAssembly memory leave.
   */
  maxCacheBytes?: number;
  /** Element type of the KV cache. Default 'f32'; smaller ones take less memory, and q4_0 costs accuracy: docs/generation.md. */
  kvCache?: 'f32' | 'f16' | 'q8_0' | 'q4_0';
  /** 'q8' (default) quantises activations to int8 per block of 32 for quantised weights, as llama.cpp does; 'f32' does not. */
  activations?: 'q8' | 'f32';
  /** Low-rank adapters (llama.cpp's GGUF format) to apply as the model runs; their effects add up. */
  lora?: readonly LoraSource[];
  /** A tokenizer file, where the model carries none. */
  tokenizer?: Source;
  /** A chat template (Jinja source) in place of the model's own; 'chatml' for the usual one. */
  chatTemplate?: string;
  /** What a chat template may use up: see docs/security.md. */
  templateLimits?: TemplateLimits;
}

/** Memory needed, before anything is loaded. Bytes. */
export interface Estimate {
  fileBytes: number;
  weights: number;
  /** Of one session whose context is full. */
  kvCacheBytes: number;
  /** @deprecated It is `kvCacheBytes`: elsewhere `kvCache` is a type. */
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

/**
 * Samplers run in the order bias, penalties, DRY, `samplers`, topNSigma, topK, temperature, typicalP, topP, minP, XTC, mirostat;
 * see docs/generation.md.
 */
export interface GenerateOptions extends EncodeOptions {
  /**
   * How special tokens are taken that are spelt in the contents of messages: as 'text' (default), so that nobody forges turns, or as
   * 'special' tokens. What the chat template writes itself is always parsed; `parseSpecial` is for prompts that are texts.
   */
  contents?: 'text' | 'special';
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
  /** Added to the logits, by id: finite numbers of 32 bits; -Infinity forbids. */
  logitBias?: Record<number, number> | ReadonlyMap<number, number>;
  /**
   * DRY: how strongly tokens are held back that would go on with a sequence that stood there before: by
   * `dryMultiplier * dryBase ^ (its length - dryAllowedLength)`. Default 0: off.
   */
  dryMultiplier?: number;
  /** Default 1.75. */
  dryBase?: number;
  /** Repetitions shorter than this cost nothing. Default 2. */
  dryAllowedLength?: number;
  /** How many of the latest ids DRY looks at. Default 64; -1 all. */
  dryPenaltyLastN?: number;
  /** Where sequences end. Default line breaks, colons, quotes and asterisks. */
  drySequenceBreakers?: readonly string[];
  /** Keeps tokens whose logit is within so many standard deviations of the largest. 0 (default) or less keeps all. */
  topNSigma?: number;
  /** Lets the temperature follow the entropy, from `temperature - dynatempRange` to `temperature + dynatempRange`. Default 0: off. */
  dynatempRange?: number;
  /** Above 1 high temperatures are kept for very even distributions. Default 1. */
  dynatempExponent?: number;
  /** XTC: how often all but the least likely of the tokens from `xtcThreshold` on are left out. Default 0: never. */
  xtcProbability?: number;
  /** Default 0.1; above 0.5 XTC is off. */
  xtcThreshold?: number;
  /** 2: Mirostat 2, which keeps the surprise of the text at `mirostatTau`. Default 0: off. */
  mirostat?: 0 | 2;
  /** In bits. Default 5. */
  mirostatTau?: number;
  /** How quickly Mirostat corrects itself. Default 0.1. */
  mirostatEta?: number;
  /** Allows some tokens only, each time anew: a grammar, one of several texts. Works with all samplers. */
  constraint?: Constraint;
  /** Your own samplers, behind the penalties and before the cuts. Beside them the default temperature is 1. */
  samplers?: readonly Sampler[];
  /** Of the xorshift64* generator: the same seed gives the same text on every machine. Default: random, reported in the summary. */
  seed?: number | bigint;
  /** Text that ends the generation; it is not part of the output. Written as a special token is, it stops at that token too. */
  stop?: string | readonly string[];
  stopIds?: readonly number[];
  /** Go on after EOS. */
  ignoreEos?: boolean;
  /** Keep what the session's KV cache shares with the new prompt. Default true. */
  reusePrefix?: boolean;
  /**
   * When the context is full: 'error' (default) or 'slide'. Of a conversation that slides whole turns are forgotten, the oldest
   * first; the system's message stays. Of a text or ids the oldest half goes.
   */
  overflow?: 'error' | 'slide';
  /** Alternatives reported with each token: the most likely tokens before any sampler. Default 5. */
  top?: number;
  /** Hash the bits of all logits into summary.logitsHash. Default false (it costs a pass over the vocabulary). */
  hashLogits?: boolean;
  /** Ends the generation with a StonechatError `aborted` whose cause is the signal's reason. */
  signal?: AbortSignal;
  /** Called before each piece of the prompt (of about 50 ms, 64 tokens at most) and after the last. */
  onProgress?: (progress: PrefillProgress) => void;
}

/** Of `Model.logits`: a part of the options of generate(). */
export type LogitsOptions = Pick<GenerateOptions, 'signal' | 'addSpecial' | 'parseSpecial' | 'contents'>;

/** Of `score`: a part of the options of generate(), and what is judged. */
export interface ScoreOptions extends Pick<GenerateOptions, 'constraint' | 'top' | 'signal' | 'addSpecial' | 'parseSpecial' | 'contents' | 'onProgress'> {
  /**
   * What follows the prompt, as text or ids: only its tokens are judged, and no logits are computed before them. On a session
   * the prompt is read once for all that may follow it.
   */
  continuation?: string | ArrayLike<number>;
  /** Whether a conversation ends with the opening of the assistant's turn. Default: false, and true before a `continuation`. */
  addGenerationPrompt?: boolean;
}

/** Of `append`: a part of the options of generate(). */
export type AppendOptions = Pick<GenerateOptions, 'signal' | 'addSpecial' | 'parseSpecial' | 'contents' | 'onProgress'>;

/**
 * Why an answer ended: at a stop string or id, after `maxTokens`, by the model's own end token, cut because the context is
 * full, because the constraint is done, or by the signal.
 */
export type Finish = 'stop' | 'length' | 'eos' | 'context' | 'constraint' | 'aborted';

/** A token that could have come. */
export interface Alternative {
  id: number;
  /** The token alone: U+FFFD where it is a part of a character. */
  text: string;
  /** Natural logarithm of the model's probability (temperature 1, before any sampler). */
  logprob: number;
  /** With a constraint: whether it could come. */
  allowed?: boolean;
}

/** One token of an answer or of a judged text, and what the model thought. */
export interface Token {
  id: number;
  /** Newly readable text; may be empty in the middle of a character or of a possible stop string. */
  text: string;
  /** Natural logarithm of the model's probability (temperature 1, before any sampler). */
  logprob: number;
  /** Of the model's distribution, in nats. */
  entropy: number;
  /** The most likely tokens before any sampler, likeliest first. */
  top: Alternative[];
  /**
   * With a constraint: the model's probability of all that it allowed, together. `exp(logprob) / allowed` is the token's among
   * those.
   */
  allowed?: number;
  /** Set on the last token only. */
  finish?: Finish;
}

/** What became of a generation. It fills in as the generation runs, and can be written as JSON. */
export interface Summary {
  /** Undefined while it runs, and where its reader left early. */
  finish: Finish | undefined;
  /** Of the whole prompt, also of what was forgotten of it. */
  promptTokens: number;
  /** Prompt tokens that were already in the cache. */
  reusedTokens: number;
  /** With `overflow: 'slide'`: tokens of prompt and answer, and whole messages, that the model no longer sees. */
  forgottenTokens: number;
  forgottenMessages: number;
  /** Of the answer. */
  tokens: number;
  text: string;
  /** A number up to 2^53 - 1, a bigint beyond (in JSON a text). */
  seed: number | bigint;
  prefillSeconds: number;
  decodeSeconds: number;
  /** Of the tokens that had to be read: those not in the cache. */
  prefillTokensPerSecond: number;
  decodeTokensPerSecond: number;
  /** 16 hexadecimal digits: FNV-1a (64 bit) over the 32-bit words of every logits vector sampled from, in order. */
  logitsHash: string | undefined;
}

/** An answer as it comes: `for await (const token of generation)`. Work is done when a token is asked for. Leaving the loop ends it. */
export interface Generation extends AsyncIterableIterator<Token, undefined, undefined> {
  readonly summary: Summary;
  /** Runs to the end: the whole text of the answer, also of what was read before. */
  text(): Promise<string>;
  /**
   * The text as UTF-8 bytes, for `new Response(generation.toReadableStream())`; `.pipeThrough(new TextDecoderStream())` gives
   * strings. Cancelling it ends the generation.
   */
  toReadableStream(): ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** One message of a conversation. */
export interface ChatMessage {
  /** 'system', 'user', 'assistant', or what else the model's template knows. */
  role: string;
  content: string;
  /** What else the template may ask for. */
  [extra: string]: unknown;
}

/** One conversation: its own KV cache. Generations on one session queue; those of different sessions are computed together, one run for the next token of all. */
export interface Session {
  /** Goes on with a text, with ids, or answers a conversation. @throws StonechatError `bad-option`, `disposed`; others as tokens are asked for. */
  generate(prompt: string | ArrayLike<number> | readonly ChatMessage[], options?: GenerateOptions): Generation;
  /**
   * What the model thought before each token of a text: every token after the first, with the probability it had. Their
   * mean `-logprob` is the log of the perplexity. What the session's cache shares with the text is not read again.
   */
  score(prompt: string | ArrayLike<number> | readonly ChatMessage[], options?: ScoreOptions): AsyncGenerator<Token, undefined>;
  /**
   * Reads a prompt without an answer: what begins with it need not be read again. Returns how many tokens the session holds.
   * @throws StonechatError as `generate`.
   */
  append(prompt: string | ArrayLike<number> | readonly ChatMessage[], options?: AppendOptions): Promise<number>;
  /** A session that holds the same, in the same memory until one of them goes on. Dispose of both. @throws StonechatError `disposed`. */
  fork(): Session;
  /**
   * What the session holds, as bytes for `restoreSession` of the same model (weights, adapters, type of KV cache), on any machine: the ids
   * and their keys and values, for every 64 tokens about what `info.memoryBytes` counts for them.
   */
  save(): Promise<Uint8Array<ArrayBuffer>>;
  /** Frees its memory; what runs on it ends with `disposed`. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** What a loaded model is. */
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
  kvCache: 'f32' | 'f16' | 'q8_0' | 'q4_0';
  /** Of linear memory: weights, buffers, and the KV cache of one session whose context is full. */
  memoryBytes: number;
  /** What you should know of the file although it can be used: one sentence each. */
  warnings: readonly string[];
}

/** A loaded model, and its own first session. `dispose` ends all its sessions. */
export interface Model extends Session {
  readonly tokenizer: Tokenizer;
  readonly info: ModelInfo;
  /** One more conversation, with a KV cache of its own that grows as it does. Dispose of it when it is no longer used. */
  createSession(): Session;
  /** A session as it was saved: its next prompt is read only where it differs. @throws StonechatError `bad-file` for one of another model. */
  restoreSession(saved: Uint8Array): Promise<Session>;
  /** Logits of the last position, without touching any session. Length = vocabulary. */
  logits(prompt: string | ArrayLike<number>, options?: LogitsOptions): Promise<Float32Array>;
  /** As that of a session, without touching any: on a cache of its own, as large as the text. */
  score(prompt: string | ArrayLike<number> | readonly ChatMessage[], options?: ScoreOptions): AsyncGenerator<Token, undefined>;
  /** The prompt text that the model's chat template makes of the messages. */
  renderChat(messages: readonly ChatMessage[], options?: Record<string, unknown>): Promise<string>;
}
