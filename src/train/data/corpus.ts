import { Fingerprint } from './fingerprint.js';
import { StonechatError } from '../../errors.js';
import { badOption, show } from '../../files/refuse.js';
import { breather } from '../../text/turns.js';
import type { Tokenizer } from '../../text/types.js';
import { type Documents, pairCount } from './batches.js';
import { mix, permutation } from './random.js';

export const END_OF_TEXT = '<|endoftext|>';

const trimmed = (part: string): string => part.replace(/^[\r\n]+/, '').trimEnd();

/** Documents of a text: what stands between separators, without the line ends around them; by default the whole text unless it holds <|endoftext|>. */
export function splitDocuments(text: string, separator = END_OF_TEXT): string[] {
  const parts = separator === '' ? [text] : text.split(separator);
  return parts.map(trimmed).filter((part) => part !== '');
}

/** A document that goes on beyond this many characters is cut at the end of a line: no engine has texts of any length. */
const LONGEST_DOCUMENT = 1 << 28;

/** The same of a text that comes in pieces. */
export async function* streamDocuments(pieces: AsyncIterable<string> | Iterable<string>, separator = END_OF_TEXT, longest = LONGEST_DOCUMENT): AsyncGenerator<string> {
  let rest: string[] = [], length = 0, tail = '';
  const whole = (last: string) => trimmed(rest.join('') + last);
  for await (const piece of pieces) {
    // A separator may lie across pieces: its beginning is kept back.
    const parts = separator === '' ? [tail + piece] : (tail + piece).split(separator);
    for (const part of parts.slice(0, -1)) {
      const document = whole(part);
      [rest, length] = [[], 0];
      if (document !== '') yield document;
    }
    const open = parts.at(-1)!;
    const keep = separator === '' ? 0 : Math.min(open.length, separator.length - 1);
    tail = open.slice(open.length - keep);
    rest.push(open.slice(0, open.length - keep));
    length += open.length - keep;
    if (length <= longest) continue;
    const text = rest.join('');
    const line = Math.max(0, lineStart(text));
    const document = trimmed(text.slice(0, line));
    [rest, length] = [[text.slice(line)], text.length - line];
    if (document !== '') yield document;
  }
  const document = whole(tail);
  if (document !== '') yield document;
}

/** Where the last line begins that begins with more than space. */
function lineStart(text: string): number {
  for (let at = text.lastIndexOf('\n'); at > 0; at = text.lastIndexOf('\n', at - 1)) if (/\S/.test(text[at + 1] ?? ' ')) return at + 1;
  return -1;
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

/** Characters of a document that is encoded in turns. */
const LONG = 1 << 16;

/** Ids of all documents, each between its start and end tokens. */
export async function tokenizeDocuments(texts: readonly string[], tokenizer: Tokenizer): Promise<Documents> {
  const { start, end } = frame(tokenizer);
  const pieces: Int32Array[] = [];
  const breathe = breather();
  for (const text of texts) {
    pieces.push(text.length > LONG ? await tokenizer.encodeAsync(text, { addSpecial: false }) : tokenizer.encode(text, { addSpecial: false }));
    await breathe();
  }
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
  readonly training: readonly string[];
  readonly validation: readonly string[];
}

/** Keeps a seeded share of the documents back; of a single document its end. Texts are split, so that the vocabulary is learnt from the rest alone. */
export function splitValidation(texts: readonly string[], share: number, seed: number): Split {
  const count = texts.length;
  if (share <= 0 || count === 0) return { training: texts, validation: [] };
  if (count === 1) return splitOne(texts[0]!, share);
  const kept = Math.max(1, Math.min(count - 1, Math.round(count * share)));
  const back = new Set(permutation(count, mix(seed, 0x76616c)).subarray(0, kept));
  return { training: texts.filter((_, i) => !back.has(i)), validation: texts.filter((_, i) => back.has(i)) };
}

/** At the last line end before the place, or the last space; a text without either is not worth splitting. */
function splitOne(text: string, share: number): Split {
  const before = text.slice(0, Math.floor(text.length * (1 - share)));
  const line = before.lastIndexOf('\n');
  const at = line > 0 ? line : before.lastIndexOf(' ');
  return at > 0 ? { training: [text.slice(0, at)], validation: [text.slice(at + 1)] } : { training: [text], validation: [] };
}

/** Cuts long documents into parts of at most `most` predictions, to be shuffled one by one. A part begins with the token before it, so that none is lost. */
export function cutLong({ ids, ends }: Documents, most: number): Documents {
  const parts: Int32Array[] = [];
  ends.forEach((end, document) => {
    const first = document ? ends[document - 1]! : 0;
    for (let at = first; at < end - 1; at += most) parts.push(ids.subarray(at, Math.min(end, at + most + 1)));
  });
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

/** A text, or documents one by one; each may hold several between separators. */
export type Corpus = string | Iterable<string> | AsyncIterable<string>;

/** All documents of a corpus. @throws StonechatError `bad-option` where there are none. */
export async function readCorpus(corpus: Corpus, separator: string, what = 'a corpus'): Promise<string[]> {
  const isIterable = typeof corpus === 'string' || (typeof corpus === 'object' && corpus !== null && (Symbol.iterator in corpus || Symbol.asyncIterator in corpus));
  if (!isIterable) throw badOption(`${what}: a text, or texts one by one`, typeof corpus, 'Decode files to text first.');
  const documents: string[] = [];
  for await (const text of typeof corpus === 'string' ? [corpus] : corpus) {
    if (typeof text !== 'string') throw badOption(`${what} of texts`, show(text), 'Decode files to text first.');
    for (const document of splitDocuments(text, separator)) documents.push(document);
  }
  if (documents.length > 0) return documents;
  throw badOption(`${what} with text`, 'none', 'Check the path, and the separator between documents.');
}

/** @throws StonechatError `bad-option` for too little text for one step. */
export function checkCorpus(training: Documents, rows: number): void {
  const tokens = pairCount(training);
  if (tokens >= rows) return;
  throw new StonechatError({
    code: 'bad-option',
    expected: `a corpus of at least one batch: ${rows} tokens`,
    found: `${tokens}`,
    remedy: 'Give more text, or use a smaller batch or context.',
  });
}

/** Of the ids and where documents end. */
export function fingerprint({ ids, ends }: Documents): number {
  const print = new Fingerprint();
  for (const words of [ids, ends]) for (let i = 0; i < words.length; i++) print.take(words[i]!);
  return print.value;
}
