import type { StringList } from '../files/strings.js';
import type { Ids } from './ids.js';
import type { Normaliser } from './normalise.js';
import type { Splitter } from './split.js';
import type { Turns } from './turns.js';
import type { TextStream } from './types.js';

/** Kinds of token, by their numbers in GGUF's `tokenizer.ggml.token_type`. */
export const TOKEN = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** Few of a vocabulary are of a type other than normal: found by the engine's own search. */
export function idsOfType(types: Pick<Uint8Array, 'indexOf'>, type: number): number[] {
  const ids: number[] = [];
  for (let id = types.indexOf(type); id >= 0; id = types.indexOf(type, id + 1)) ids.push(id);
  return ids;
}

const HEX = '0123456789ABCDEFabcdef';
const digit = (code: number): number => {
  const at = HEX.indexOf(String.fromCharCode(code));
  return at < 16 ? at : at - 6;
};

/** The byte that a token `<0xNN>` stands for, -1 for any other. Off its bytes: there are 256 of them in many vocabularies. */
export function byteOf(tokens: StringList, id: number): number {
  const { block, starts } = tokens;
  const at = starts[id]!;
  if (tokens.endOf(id) !== at + 6 || block[at] !== 0x3c || block[at + 1] !== 0x30 || block[at + 2] !== 0x78 || block[at + 5] !== 0x3e) return -1;
  const [high, low] = [digit(block[at + 3]!), digit(block[at + 4]!)];
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/** A token that is found in the text before the model sees it. */
export interface AddedToken {
  id: number;
  content: string;
  /** Only with `parseSpecial`, and left out by decode unless `special`. */
  special: boolean;
  /** Takes the white space on its left or right with it. */
  lstrip: boolean;
  rstrip: boolean;
  /** Only where no letter or digit adjoins. */
  singleWord: boolean;
  /** Looked for in the normalised text. */
  normalized: boolean;
}

export type Merges = StringList | readonly (readonly [string, string])[];

/** Byte pair encoding, in WebAssembly. */
export interface MergeModel {
  model: 'merge';
  /** What a word is before merging: bytes, or characters. */
  symbols: 'bytes' | 'characters';
  /**
   * How `tokens` write bytes: 'alphabet' is GPT-2's (`Ġ` for a space), 'marked' is SentencePiece's (`▁` for a space),
   * 'plain' is UTF-8, 'bytes' takes `tokenBytes` instead.
   */
  writing: 'alphabet' | 'marked' | 'plain' | 'bytes';
  tokenBytes?: { blob: Uint8Array; starts: Uint32Array };
  /** "left right" or [left, right], strongest first. Without it two neighbours merge when their bytes are a token … */
  merges?: Merges;
  /** … the highest of these scores first (one a token; default: the smallest id). */
  scores?: Float32Array;
  /** Ids for the bytes of unknown characters, where they are not the tokens of type byte. 256. */
  byteIds?: Uint32Array;
  /** A word that is a token is that token, whatever the merges say. */
  ignoreMerges: boolean;
  /** Neighbouring unknown characters give one unknown token. */
  fuseUnknown: boolean;
}

export interface UnigramModel {
  model: 'unigram';
  /** Log-probabilities, one a token. */
  scores: Float32Array | Float64Array;
  byteFallback: boolean;
}

export interface WordPieceModel {
  model: 'wordpiece';
  /** Written before tokens that continue a word (`##`), or before those that start one (`▁`, llama.cpp's way). */
  mark: string;
  marks: 'continuation' | 'start';
  /** Longer words are unknown. */
  longestWord: number;
}

/** Greedy longest match over bytes (RWKV World). */
export interface GreedyModel {
  model: 'greedy';
  tokenBytes: readonly Uint8Array[];
}

/** A model that only rules/ knows. */
export interface RulesModel {
  model: 'rules';
}

/** A tokenizer.json carried out rule by rule: what prefix, split and model say is then not all. */
export interface TextRules {
  /** The kernels merge the words as they are; otherwise `encode` does. */
  readonly inKernels: boolean;
  /** The ids of added tokens, and between them the words of normalised text. */
  fragments(text: string, parseSpecial: boolean): Turns<(number | string[])[]>;
  encode(words: readonly string[], parseSpecial: boolean, ids: Ids): Turns<void>;
  decode(ids: Iterable<number>, special: boolean): string;
  /** What a token stands for in the middle of a text. */
  bytes(id: number): Uint8Array;
  stream(special: boolean, previous: Iterable<number>): TextStream;
}

/** A tokenizer as data, whatever file it came from. */
export interface TokenizerSpec {
  kind: string;
  /** As the vocabulary writes them; '' where an id has none. */
  tokens: StringList;
  /** TOKEN of each id. */
  types: Uint8Array;
  added: readonly AddedToken[];
  normalise: readonly Normaliser[];
  /** A space put before the text (or each piece of it between special tokens). */
  prefix: { when: 'never' | 'first' | 'always'; unlessSpace?: boolean };
  split: Splitter;
  model: MergeModel | UnigramModel | WordPieceModel | GreedyModel | RulesModel;
  rules?: TextRules;
  /** What the file asks for beside prefix, split and model, by its names there: what other formats may have no word for. */
  beyond?: readonly string[];
  /** Ids that addSpecial puts before and after. */
  before: readonly number[];
  after: readonly number[];
  bos?: number;
  eos?: number;
  unk?: number;
  /** Ids that end a generation, beside `eos` and tokens with the usual names. */
  stop?: readonly number[];
  /** The first space of a decoded text is dropped. */
  dropLeadingSpace: boolean;
  chatTemplate?: string;
  /** Special tokens by the names that chat templates know (`pad_token`), where the file says them. */
  names?: Readonly<Record<string, string>>;
}
