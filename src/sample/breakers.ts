import type { Tokenizer } from '../text/types.js';

/** By the id of a first token: the ids that must follow for a breaker to be there; nothing, where the first token holds all of it. */
export type SequenceBreakers = ReadonlyMap<number, readonly Int32Array[]>;

/** llama.cpp looks at no more tokens behind the first. */
const MOST_TAIL = 20;

const known = new WeakMap<Tokenizer, Map<string, SequenceBreakers>>();

/** The tokens in which texts occur or begin, for `dry`: sequences that were repeated end there. */
export function sequenceBreakers(tokenizer: Tokenizer, texts: readonly string[]): SequenceBreakers {
  const ofTokenizer = known.get(tokenizer) ?? new Map<string, SequenceBreakers>();
  known.set(tokenizer, ofTokenizer);
  const key = JSON.stringify(texts);
  const found = ofTokenizer.get(key) ?? find(tokenizer, texts);
  ofTokenizer.set(key, found);
  return found;
}

const encoder = new TextEncoder();

/** Bytes as a text of one character each, in which searching is quick. */
const latin = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

function find(tokenizer: Tokenizer, texts: readonly string[]): SequenceBreakers {
  const heads = new Map<number, Int32Array[]>();
  const wanted = texts.map((text) => encoder.encode(text));
  const spelt = wanted.map(latin);
  for (let id = 0; id < tokenizer.size; id++) {
    const bytes = tokenizer.isSpecial(id) ? encoder.encode(tokenizer.token(id)) : tokenizer.bytes(id);
    const word = latin(bytes);
    const tails = spelt.flatMap((text, i) => lacking(word, text).map((from) => encodeTail(tokenizer, wanted[i]!.subarray(from))));
    if (tails.length > 0) heads.set(id, tails);
  }
  return heads;
}

/** How much of `text` stands in `word`, each time that it may go on behind it; all of it, where it is whole. */
function lacking(word: string, text: string): number[] {
  if (word.includes(text)) return [text.length];
  const found: number[] = [];
  for (let at = word.indexOf(text[0]!); at >= 0; at = word.indexOf(text[0]!, at + 1)) {
    const rest = word.slice(at);
    if (text.startsWith(rest)) found.push(rest.length);
  }
  return found;
}

function encodeTail(tokenizer: Tokenizer, bytes: Uint8Array): Int32Array {
  if (bytes.length === 0) return new Int32Array(0);
  return tokenizer.encode(new TextDecoder().decode(bytes), { addSpecial: false }).slice(0, MOST_TAIL);
}
