/** How a text becomes ids. */
export interface EncodeOptions {
  /** Add BOS/EOS (or CLS/SEP) as the tokenizer's own rule says. Default true. */
  addSpecial?: boolean;
  /** Turn special tokens written in the text (`<|im_end|>`) into their ids. Default false. */
  parseSpecial?: boolean;
}

export interface MarkedOptions extends EncodeOptions {
  /**
   * As long as the text in UTF-16 units, or ''. No special token is read where there is a '1': with `parseSpecial` what a
   * template wrote is parsed, and what it put in from messages is not.
   */
  marks?: string;
}

/** Of `encodeAsync`: as for `encode`, and what long work needs. */
export interface EncodeAsyncOptions extends EncodeOptions {
  signal?: AbortSignal;
  /** Characters (UTF-16 units) encoded, and of how many. */
  onProgress?: (progress: { done: number; total: number }) => void;
}

/** Text of a growing list of ids; never emits part of a UTF-8 character. */
export interface TextStream {
  /** The text that this id completes (may be empty). */
  push(id: number): string;
  /** What is left, with U+FFFD for an unfinished character. */
  flush(): string;
}

/** Text to ids and back. */
export interface Tokenizer {
  /** 'spm' | 'bpe' | 'unigram' | 'wordpiece' | 'tiktoken' … for `inspect`. */
  readonly kind: string;
  /** Number of ids. */
  readonly size: number;
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  readonly unk: number | undefined;
  /** Ids that encode puts before a text, unless `addSpecial` is false: BOS, or none. */
  readonly startIds?: readonly number[];
  /** Ids that end a generation: EOS, EOT, EOM, `<|im_end|>`, … */
  readonly stopIds: ReadonlySet<number>;
  /** Jinja source, where the model carries one. */
  readonly chatTemplate: string | undefined;
  /** Special tokens by the names that chat templates know: `bos_token`, `pad_token`, … */
  readonly specialTokens: Readonly<Record<string, string>>;
  encode(text: string, options?: MarkedOptions): Int32Array;
  /**
   * The same ids for long texts: the event loop turns about every 20 ms, also while a text is normalised and split. Only a word of
   * byte pair encoding that is a megabyte long is merged at once. @throws StonechatError `aborted`.
   */
  encodeAsync(text: string, options?: EncodeAsyncOptions): Promise<Int32Array>;
  /**
   * What the normaliser and the pre-tokenizer make of a text, in its own characters (bytes are not shown as letters): the words
   * that the model then writes as tokens. A token found in the text is a piece of its own. For display and for comparing tokenizers.
   */
  pieces(text: string, options?: Pick<EncodeOptions, 'parseSpecial'>): string[];
  /** Special (control) tokens are left out unless `special`. */
  decode(ids: Iterable<number>, options?: { special?: boolean }): string;
  /** The token as the vocabulary writes it, for display (`▁Once`, `Ġupon`, `<0x0A>`). */
  token(id: number): string;
  /** The id of a vocabulary entry written exactly so. */
  id(token: string): number | undefined;
  /** The bytes that the token stands for in running text. */
  bytes(id: number): Uint8Array;
  isSpecial(id: number): boolean;
  /** `previous`: ids already shown, so that a leading space is dropped or kept rightly. */
  stream(options?: { special?: boolean; previous?: Iterable<number> }): TextStream;
}
