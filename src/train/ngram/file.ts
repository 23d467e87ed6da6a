import { concat } from '../../files/chunks.js';
import { badFile, badOption, show, truncated } from '../../files/refuse.js';
import { Json } from '../../text/json.js';
import { checksum } from '../loop/checksum.js';
import { checkModel, LONGEST, type NgramContent, NgramModel, type NgramLevel } from './model.js';

/**
 * An n-gram model as a file, little-endian:
 *   8 bytes   "SCNGRAM1"
 *   u32       length of the JSON that follows, padded with spaces so that the arrays start at a multiple of 8
 *   JSON      { order, vocabulary, sizes (n-grams of each length), discounts, backoff, tokenizer (bytes), checksum (of what follows) }
 *   then for each length: words (u16, from a vocabulary of 65,537 on u32), probabilities (f32), and in all but the last
 *   backoffs (f32), children (u32, one more than n-grams); each padded to a multiple of 4
 *   last      the tokenizer, where there is one: a GGUF file without tensors
 */
export const NGRAM_MAGIC = 'SCNGRAM1';
const PREFIX = NGRAM_MAGIC.length + 4;

const padded = (bytes: number, to: number) => Math.ceil(bytes / to) * to;
const wordBytes = (vocabulary: number) => (vocabulary <= 65536 ? 2 : 4);

/** The file in pieces. @see readNgrams */
export function* writeNgrams(model: NgramModel): Generator<Uint8Array<ArrayBuffer>> {
  checkModel(model);
  const { content, sizes } = model;
  const { order, vocabulary, discounts, backoff, levels, tokenizer } = content;
  const arrays = levels.flatMap(({ words, probabilities, backoffs, children }) => [words, probabilities, backoffs, children].map(paddedBytes));
  const rest = tokenizer ? [...arrays, tokenizer.slice()] : arrays;
  const head = headOf({ order, vocabulary, sizes, discounts, backoff, tokenizer: tokenizer?.length });
  const json = `${head.slice(0, -1)},"checksum":"${checksumOf(head, rest)}"}`;
  const length = padded(PREFIX + json.length, 8) - PREFIX;
  const start = new Uint8Array(PREFIX + length);
  new TextEncoder().encodeInto(NGRAM_MAGIC, start);
  new DataView(start.buffer).setUint32(NGRAM_MAGIC.length, length, true);
  new TextEncoder().encodeInto(json.padEnd(length), start.subarray(PREFIX));
  yield start;
  yield* rest;
}

type Head = Pick<NgramContent, 'order' | 'vocabulary' | 'discounts' | 'backoff'> & { readonly sizes: readonly number[]; readonly tokenizer: number | undefined };

/** As JSON, always in one order. */
const headOf = ({ order, vocabulary, sizes, discounts, backoff, tokenizer }: Head): string => JSON.stringify({ order, vocabulary, sizes, discounts, backoff, tokenizer });

/** Of what the JSON says and of what follows it. */
const checksumOf = (head: string, pieces: readonly Uint8Array[]): string => checksum(concat([...pieces, new TextEncoder().encode(head)]));

function paddedBytes(array: Uint16Array | Uint32Array | Float32Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(padded(array.byteLength, 4));
  bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  return bytes;
}

/** Reads a model that `writeNgrams` has written, from bytes in any form: a Buffer of a file, a view at any offset. @throws StonechatError `bad-option`, `bad-file`, `truncated`. */
export function readNgrams(input: ArrayBufferView | ArrayBufferLike, name = 'the n-gram file'): NgramModel {
  if (typeof name !== 'string') throw badOption('the name of the file as a text', show(name));
  const bytes = bytesOf(input);
  if (bytes.length < PREFIX || String.fromCharCode(...bytes.subarray(0, NGRAM_MAGIC.length)) !== NGRAM_MAGIC) throw badFile(`an n-gram model (${NGRAM_MAGIC}) in ${name}`, 'another kind of file', 'Pass a file that stonechat wrote as an n-gram model.');
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(NGRAM_MAGIC.length, true);
  if (PREFIX + length > bytes.length) throw short(name);
  const { sum, ...head } = readHead(Json.parse(decode(bytes.subarray(PREFIX, PREFIX + length), name), name));
  const { order, vocabulary, sizes, discounts, backoff, tokenizer } = head;
  const rest = bytes.slice(PREFIX + length);
  const arrays = new Arrays(rest, name);
  const levels = sizes.map((size, n): NgramLevel => {
    const last = n === sizes.length - 1;
    return {
      words: wordBytes(vocabulary) === 2 ? arrays.take(Uint16Array, size) : arrays.take(Uint32Array, size),
      probabilities: arrays.take(Float32Array, size),
      backoffs: arrays.take(Float32Array, last ? 0 : size),
      children: arrays.take(Uint32Array, last ? 0 : size + 1),
    };
  });
  const text = tokenizer === undefined ? undefined : arrays.bytesOf(tokenizer);
  arrays.end();
  if (sum !== undefined && sum !== checksumOf(headOf(head), [rest])) throw badFile(`the arrays of ${name} as they were written`, 'others: their checksum differs');
  levels.forEach((level, n) => checkLevel(level, levels[n + 1], vocabulary, name));
  checkOrder(levels, name);
  return new NgramModel({ order, vocabulary, discounts, backoff, levels, ...(text && { tokenizer: text }) });
}

/** A copy, so that arrays in it are aligned and nobody changes them. @throws StonechatError `bad-option` */
function bytesOf(input: unknown): Uint8Array<ArrayBuffer> {
  if (ArrayBuffer.isView(input)) return new Uint8Array(input.buffer, input.byteOffset, input.byteLength).slice();
  if (input instanceof ArrayBuffer || (typeof SharedArrayBuffer !== 'undefined' && input instanceof SharedArrayBuffer)) return new Uint8Array(input).slice();
  throw badOption('the bytes of an n-gram file: a Uint8Array, Buffer or ArrayBuffer', show(input), 'Read the file first.');
}

function decode(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw badFile(`JSON in ${name}`, 'bytes that are no text', undefined, cause);
  }
}

function readHead(json: Json): Head & { readonly sum: string | undefined } {
  const order = json.get('order').id(LONGEST);
  const sizes = json.get('sizes').list().map((size) => size.id(2 ** 31));
  const vocabulary = json.get('vocabulary').id();
  const backoff = json.get('backoff').number();
  const discounts = json.get('discounts').list().map((list) => list.list().map((discount) => discount.number()));
  if (discounts.length !== order || !discounts.every(isDiscount)) throw json.get('discounts').wrong(`${order} lists of four discounts`);
  const [tokenizer, sum] = [json.get('tokenizer'), json.get('checksum')];
  if (order < 1 || sizes.length !== order) throw json.get('sizes').wrong(`${order} sizes, one for each length`);
  if (vocabulary < 1) throw json.get('vocabulary').wrong('a vocabulary');
  if (!(backoff > 0 && backoff <= 1)) throw json.get('backoff').wrong('a backoff up to 1');
  return { order, sizes, vocabulary, backoff, discounts, tokenizer: tokenizer.exists ? tokenizer.id(2 ** 31) : undefined, sum: sum.exists ? sum.text() : undefined };
}

/** Of the counts 0 to 3. */
const isDiscount = (list: readonly number[]): boolean => list.length === 4 && list.every((discount, count) => discount >= 0 && discount <= count);

const short = (name: string) => truncated(`the arrays that ${name} announces`, 'its end');

type Numbers<T> = { new (buffer: ArrayBuffer, offset: number, length: number): T; readonly BYTES_PER_ELEMENT: number };

class Arrays {
  private at = 0;
  constructor(private readonly bytes: Uint8Array<ArrayBuffer>, private readonly name: string) {}

  take<T>(kind: Numbers<T>, length: number): T {
    const from = this.at;
    this.at += padded(length * kind.BYTES_PER_ELEMENT, 4);
    if (this.at > this.bytes.length) throw short(this.name);
    return new kind(this.bytes.buffer, from, length);
  }

  /** The next bytes as they are. */
  bytesOf(length: number): Uint8Array<ArrayBuffer> {
    const from = this.at;
    this.at += length;
    if (this.at > this.bytes.length) throw short(this.name);
    return this.bytes.slice(from, this.at);
  }

  end(): void {
    if (this.at < this.bytes.length) throw badFile(`the end of ${this.name}`, `${this.bytes.length - this.at} bytes more`);
  }
}

/** What lookups rely on: tokens of the vocabulary, children in bounds, probabilities that are some. */
function checkLevel({ words, probabilities, backoffs, children }: NgramLevel, next: NgramLevel | undefined, vocabulary: number, name: string): void {
  const wrong = (expected: string, found: unknown) => badFile(`${expected} in ${name}`, show(found));
  for (const word of words) if (word >= vocabulary) throw wrong(`tokens below ${vocabulary}`, word);
  for (const value of probabilities) if (!(value > 0 && value <= 1.001)) throw wrong('probabilities', value);
  for (const value of backoffs) if (!(value >= 0 && value <= 1.001)) throw wrong('backoffs', value);
  for (let i = 1; i < children.length; i++) if (children[i]! < children[i - 1]!) throw wrong('growing places of children', children[i]);
  if (next && (children[0] !== 0 || children.at(-1) !== next.words.length)) throw wrong(`${next.words.length} children`, children.at(-1));
}

/** Lookups search by halves: behind each n-gram the tokens grow. */
function checkOrder(levels: readonly NgramLevel[], name: string): void {
  levels.forEach(({ words }, n) => {
    const parents = n === 0 ? Uint32Array.of(0, words.length) : levels[n - 1]!.children;
    for (let parent = 1; parent < parents.length; parent++) {
      for (let i = parents[parent - 1]! + 1; i < parents[parent]!; i++) {
        if (words[i]! <= words[i - 1]!) throw badFile(`growing tokens behind each n-gram in ${name}`, `${words[i]} behind ${words[i - 1]}`);
      }
    }
  });
}
