import { badFile, show, truncated } from '../../files/refuse.js';
import { Json } from '../../text/json.js';
import { NgramModel, type NgramLevel } from './model.js';

/**
 * An n-gram model as a file, little-endian:
 *   8 bytes   "SCNGRAM1"
 *   u32       length of the JSON that follows, padded with spaces so that the arrays start at a multiple of 8
 *   JSON      { order, vocabulary, sizes (n-grams of each length), discounts, backoff }
 *   then for each length: words (u16, from a vocabulary of 65,537 on u32), probabilities (f32), and in all but the last
 *   backoffs (f32), children (u32, one more than n-grams); each padded to a multiple of 4
 */
const MAGIC = 'SCNGRAM1';
const PREFIX = MAGIC.length + 4;
const LONGEST = 16;

const padded = (bytes: number, to: number) => Math.ceil(bytes / to) * to;
const wordBytes = (vocabulary: number) => (vocabulary <= 65536 ? 2 : 4);

/** The file in pieces. @see readNgrams */
export function* writeNgrams({ content, sizes }: NgramModel): Generator<Uint8Array<ArrayBuffer>> {
  const { order, vocabulary, discounts, backoff, levels } = content;
  const json = JSON.stringify({ order, vocabulary, sizes, discounts, backoff });
  const length = padded(PREFIX + json.length, 8) - PREFIX;
  const head = new Uint8Array(PREFIX + length);
  new TextEncoder().encodeInto(MAGIC, head);
  new DataView(head.buffer).setUint32(MAGIC.length, length, true);
  new TextEncoder().encodeInto(json.padEnd(length), head.subarray(PREFIX));
  yield head;
  for (const { words, probabilities, backoffs, children } of levels) {
    for (const array of [words, probabilities, backoffs, children]) yield paddedBytes(array);
  }
}

function paddedBytes(array: Uint16Array | Uint32Array | Float32Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(padded(array.byteLength, 4));
  bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  return bytes;
}

/** Reads a model that `writeNgrams` has written. @throws StonechatError `bad-file`, `truncated`. */
export function readNgrams(bytes: Uint8Array, name = 'the n-gram file'): NgramModel {
  if (bytes.length < PREFIX || String.fromCharCode(...bytes.subarray(0, MAGIC.length)) !== MAGIC) throw badFile(`an n-gram model (${MAGIC}) in ${name}`, 'another kind of file', 'Pass a file that stonechat wrote as an n-gram model.');
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(MAGIC.length, true);
  if (PREFIX + length > bytes.length) throw short(name);
  const { order, vocabulary, sizes, discounts, backoff } = readHead(Json.parse(new TextDecoder().decode(bytes.subarray(PREFIX, PREFIX + length)), name));
  const arrays = new Arrays(bytes.slice(PREFIX + length), name);
  const levels = sizes.map((size, n): NgramLevel => {
    const last = n === sizes.length - 1;
    return {
      words: wordBytes(vocabulary) === 2 ? arrays.take(Uint16Array, size) : arrays.take(Uint32Array, size),
      probabilities: arrays.take(Float32Array, size),
      backoffs: arrays.take(Float32Array, last ? 0 : size),
      children: arrays.take(Uint32Array, last ? 0 : size + 1),
    };
  });
  arrays.end();
  levels.forEach((level, n) => checkLevel(level, levels[n + 1], vocabulary, name));
  return new NgramModel({ order, vocabulary, discounts, backoff, levels });
}

function readHead(json: Json) {
  const order = json.get('order').id(LONGEST);
  const sizes = json.get('sizes').list().map((size) => size.id(2 ** 31));
  const vocabulary = json.get('vocabulary').id();
  const backoff = json.get('backoff').number();
  if (order < 1 || sizes.length !== order) throw json.get('sizes').wrong(`${order} sizes, one for each length`);
  if (vocabulary < 1) throw json.get('vocabulary').wrong('a vocabulary');
  if (!(backoff > 0 && backoff <= 1)) throw json.get('backoff').wrong('a backoff up to 1');
  return { order, sizes, vocabulary, backoff, discounts: json.get('discounts').list().map((list) => list.list().map((discount) => discount.number())) };
}

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
