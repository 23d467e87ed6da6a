// What page and worker say to each other, by method.
import type { AppendOptions, GenerateOptions, LoadOptions, ModelInfo, ScoreOptions, Summary, Token } from '../generate/types.js';
import type { PackedError } from './failure.js';
import type { PackedSource } from './source.js';
import type { TokenizerFacts } from './types.js';

/** The options of `load` that are data; sources packed. */
export interface PackedLoadOptions extends Omit<LoadOptions, 'signal' | 'onProgress' | 'kernels' | 'lora' | 'tokenizer'> {
  lora?: readonly { readonly source: PackedSource; readonly scale?: number }[];
  tokenizer?: PackedSource;
}

export interface LoadCall {
  readonly source: PackedSource;
  readonly options: PackedLoadOptions;
}

/** The program that was started lacks a part that the model needs. */
export interface Lacking {
  readonly lacking: true;
}

export interface Loaded {
  readonly info: ModelInfo;
  readonly tokenizer: TokenizerFacts;
}

/** How a stream of tokens begins. Session 0 is the model's own. */
export interface Beginning {
  readonly kind: 'generate' | 'score';
  readonly session: number;
  readonly prompt: unknown;
  readonly options: Omit<GenerateOptions, 'signal' | 'onProgress'> | Omit<ScoreOptions, 'signal' | 'onProgress'>;
}

/** Reads a prompt into a session. */
export interface AppendCall {
  readonly session: number;
  readonly prompt: unknown;
  readonly options: Omit<AppendOptions, 'signal' | 'onProgress'>;
}

/** Asks a stream for its next token; the first call brings how it begins. */
export interface NextCall {
  readonly stream: number;
  readonly beginning?: Beginning | undefined;
  /** Whether the caller's signal has fired before. */
  readonly aborted: boolean;
}

/** The text of the summary is left out: the caller has it from the tokens. */
export interface NextAnswer {
  readonly token?: Token | undefined;
  readonly error?: PackedError | undefined;
  readonly summary?: Omit<Summary, 'text'> | undefined;
}
