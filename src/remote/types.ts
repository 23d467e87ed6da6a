import type { LoadOptions, Model } from '../generate/types.js';
import type { TextStream, Tokenizer } from '../text/types.js';

/** Methods of a tokenizer that a worker answers. */
export const TOKENIZER_METHODS = ['encode', 'pieces', 'decode', 'token', 'id', 'bytes', 'isSpecial'] as const;
type TokenizerMethod = (typeof TOKENIZER_METHODS)[number];
type TokenizerFact = Exclude<keyof Tokenizer, TokenizerMethod | 'encodeAsync' | 'stream'>;

type Later<Method> = Method extends (...list: infer List) => infer Result ? (...list: List) => Promise<Result> : never;

/** As `TextStream`, with promises. */
export type WorkerTextStream = { [Name in keyof TextStream]: Later<TextStream[Name]> };

/** What is known of a tokenizer once it is loaded. */
export type TokenizerFacts = Pick<Tokenizer, Extract<TokenizerFact, 'kind' | 'size' | 'bos' | 'eos' | 'unk' | 'stopIds' | 'chatTemplate' | 'specialTokens'>>;

/** The tokenizer of a model in a worker: its facts at once, its answers as promises. */
export interface WorkerTokenizer extends TokenizerFacts, Readonly<{ [Name in TokenizerMethod]: Later<Tokenizer[Name]> }> {
  /** As `Tokenizer.stream`, with promises. */
  stream(...list: Parameters<Tokenizer['stream']>): WorkerTextStream;
}

/**
 * A model that runs in a worker of its own. It is used like a `Model`; only its tokenizer answers by promises.
 * `dispose` ends the worker.
 */
export interface WorkerModel extends Omit<Model, 'tokenizer'> {
  /** Text to ids and back, by promises. */
  readonly tokenizer: WorkerTokenizer;
}

/** As for `load`. Functions (`onProgress`, `kernels`) are called on the caller's side. */
export interface WorkerLoadOptions extends LoadOptions {
  /** Address of `stonechat/model-worker.js` on the page's own server, where a policy forbids workers from `blob:`. */
  modelWorkerUrl?: string | URL;
}
