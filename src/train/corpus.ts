import { StonechatError } from '../errors.js';
import type { Tokenizer } from '../text/types.js';
import { type Documents, pairCount } from './batches.js';
import { mix, permutation } from './random.js';

export const END_OF_TEXT = '<|endoftext|>';

/** Documents of a text: what stands between separators, without the line ends around them; by default the whole text unless it holds <|endoftext|>. */
export function splitDocuments(text: string, separator = END_OF_TEXT): string[] {
  const parts = separator === '' ? [text] : text.split(separator);
  return parts.map((part) => part.replace(/^[\r\n]+|\s+$/g, '')).filter((part) => part !== '');
}

/** Tokens around every document: BOS and EOS, or the one that the tokenizer has in both places. */
function frame({ bos, eos }: Tokenizer): { start: number; end: number } {
  const start = bos ?? eos;
  const end = eos ?? bos;
  if (start !== undefined && end !== undefined) return { start, end };
  throw new StonechatError({
    code: 'unsupported',
    expected: 'a tokenizer with a token that ends a text',
    found: 'neither BOS nor EOS',
    remedy: 'Use a tokenizer that names one, or leave the tokenizer out and one is learnt from the corpus.',
  });
}

/** Ids of all documents, each between its start and end tokens. */
export function tokenizeDocuments(texts: readonly string[], tokenizer: Tokenizer): Documents {
  const { start, end } = frame(tokenizer);
  const pieces = texts.map((text) => tokenizer.encode(text, { addSpecial: false }));
  const ids = new Int32Array(pieces.reduce((sum, { length }) => sum + length + 2, 0));
  const ends = new Int32Array(pieces.length);
  let at = 0;
  pieces.forEach((piece, i) => {
    ids[at] = start;
    ids.set(piece, at + 1);
    at += piece.length + 2;
    ids[at - 1] = end;
    ends[i] = at;
  });
  return { ids, ends };
}

export interface Split {
  readonly training: Documents;
  readonly validation: Documents | undefined;
}

/** Keeps a seeded share of the documents back; of a single document its end. */
export function splitValidation(documents: Documents, share: number, seed: number): Split {
  const count = documents.ends.length;
  if (share <= 0) return { training: documents, validation: undefined };
  if (count === 1) return splitOne(documents, share);
  const kept = Math.max(1, Math.min(count - 1, Math.round(count * share)));
  const back = new Set(permutation(count, mix(seed, 0x76616c)).subarray(0, kept));
  const all = Array.from({ length: count }, (_, i) => i);
  return { training: pick(documents, all.filter((i) => !back.has(i))), validation: pick(documents, all.filter((i) => back.has(i))) };
}

function pick({ ids, ends }: Documents, which: readonly number[]): Documents {
  const parts = which.map((i) => ids.subarray(i ? ends[i - 1]! : 0, ends[i]!));
  return join(parts);
}

function join(parts: readonly Int32Array[]): Documents {
  const ids = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  const ends = Int32Array.from(parts, (part) => {
    ids.set(part, at);
    return (at += part.length);
  });
  return { ids, ends };
}

function splitOne({ ids }: Documents, share: number): Split {
  const cut = Math.floor(ids.length * (1 - share));
  const training = ids.subarray(0, cut);
  // The kept part begins with the token before it, so that its first token has something to follow from.
  return { training: join([training]), validation: cut >= 1 && ids.length - cut >= 1 ? join([ids.subarray(cut - 1)]) : undefined };
}

/** @throws StonechatError `bad-option` for a corpus with nothing to learn from, or too little for one step. */
export function checkCorpus(training: Documents, rows: number): void {
  const tokens = training.ends.length ? pairCount(training) : 0;
  if (tokens === 0) {
    throw new StonechatError({ code: 'bad-option', expected: 'a corpus with text', found: 'none', remedy: 'Check the path, and the separator between documents.' });
  }
  if (tokens < rows) {
    throw new StonechatError({
      code: 'bad-option',
      expected: `a corpus of at least one batch: ${rows} tokens`,
      found: `${tokens}`,
      remedy: 'Give more text, or use a smaller batch or context.',
    });
  }
}

/** FNV-1a over the ids: tells one corpus from another. */
export function fingerprint({ ids, ends }: Documents): number {
  let hash = 0x811c9dc5;
  for (const words of [ids, ends]) for (let i = 0; i < words.length; i++) hash = Math.imul(hash ^ words[i]!, 0x01000193);
  return hash >>> 0;
}
