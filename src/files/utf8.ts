import type { StonechatError } from '../errors.js';
import { badFile } from './refuse.js';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** Bytes that tell what a file is. */
const SAMPLE_BYTES = 4096;

/** Beginnings of files that are often taken for texts. */
const BINARIES: readonly (readonly [start: string, what: string])[] = [
  ['GGUF', 'a GGUF model'], ['PK\x03\x04', 'a zip archive (an office document?)'], ['\x1f\x8b\x08', 'a gzip archive'], ['%PDF', 'a PDF document'], ['\x89PNG', 'a picture'], ['\xff\xd8\xff', 'a picture'],
];

/**
 * Text in UTF-8, as it comes in pieces: without a byte-order mark, line ends as \n. Every piece but the last ends with a whole character.
 * @throws StonechatError `bad-file` for what is no text, naming the place and what it may be instead.
 */
export class Utf8Reader {
  private carry = new Uint8Array(0);
  /** Bytes of the file before `carry`. */
  private position = 0;
  private sample: Uint8Array | undefined;

  constructor(private readonly name: string) {}

  push(bytes: Uint8Array): string {
    const all = this.carry.length === 0 ? bytes : joined(this.carry, bytes);
    if (all.length < 3 && this.position === 0) return this.keep(all, 0); // perhaps a part of a mark
    this.sample ??= all.slice(0, SAMPLE_BYTES);
    const end = wholeCharacters(all);
    return this.decode(all, all[end - 1] === 0x0d ? end - 1 : end); // a \n may follow
  }

  /** What is left, when there is no more. */
  end(): string {
    const rest = this.carry;
    this.sample ??= rest.slice();
    return this.decode(rest, rest.length);
  }

  private decode(all: Uint8Array, end: number): string {
    const marked = this.position === 0 && all[0] === 0xef && all[1] === 0xbb && all[2] === 0xbf;
    const bytes = all.subarray(marked ? 3 : 0, end);
    const zero = bytes.indexOf(0);
    if (zero >= 0) throw this.refuse(zero + (marked ? 3 : 0), 0);
    let text: string;
    try {
      text = strict.decode(bytes);
    } catch {
      const at = firstInvalid(bytes);
      throw this.refuse(at + (marked ? 3 : 0), bytes[at]!);
    }
    this.keep(all, end);
    return text.includes('\r') ? text.replaceAll('\r\n', '\n') : text;
  }

  private keep(all: Uint8Array, from: number): string {
    this.position += from;
    this.carry = all.slice(from);
    return '';
  }

  private refuse(offset: number, byte: number): StonechatError {
    const what = describe(this.sample!, byte);
    const place = `the byte ${byte.toString(16).padStart(2, '0')} at offset ${this.position + offset}`;
    return badFile(`text in UTF-8 in ${this.name}`, `${place}${what.is}`, what.encoding ? `Convert it: iconv -f ${what.encoding} -t UTF-8 FILE > NEW.` : 'Name a text file.');
  }
}

/** A whole text. @throws StonechatError `bad-file`. */
export function decodeUtf8(bytes: Uint8Array, name: string): string {
  const reader = new Utf8Reader(name);
  return reader.push(bytes) + reader.end();
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}

/** Where the last character that is not whole begins, or the end. */
function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

/** Where the first character begins that is none. By halves: the longest beginning that can be decoded. */
function firstInvalid(bytes: Uint8Array): number {
  let good = 0;
  for (let bad = bytes.length; good < bad; ) {
    const middle = (good + bad + 1) >> 1;
    if (isValid(bytes.subarray(0, middle))) good = middle;
    else bad = middle - 1;
  }
  return wholeCharacters(bytes.subarray(0, good));
}

/** Whether bytes are a beginning of UTF-8. */
function isValid(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

function describe(sample: Uint8Array, byte: number): { is: string; encoding?: string } {
  const start = String.fromCharCode(...sample.subarray(0, 8));
  const binary = BINARIES.find(([magic]) => start.startsWith(magic));
  if (binary) return { is: `: ${binary[1]}` };
  const wide = wideEncoding(sample);
  if (wide) return { is: `, as in ${wide}`, encoding: wide };
  const controls = sample.filter((one) => one < 9 || (one > 13 && one < 32 && one !== 27)).length;
  if (byte === 0 || controls > sample.length / 100) return { is: ': no text' };
  const windows = sample.some((one) => one >= 0x80 && one < 0xa0);
  return windows || (byte >= 0x80 && byte < 0xa0) ? { is: ', as in Windows-1252', encoding: 'WINDOWS-1252' } : { is: ', as in Latin-1 (ISO-8859-1)', encoding: 'ISO-8859-1' };
}

/** UTF-16 by its mark, or by the zeros of letters that are Latin. */
function wideEncoding(sample: Uint8Array): string | undefined {
  if (sample[0] === 0xff && sample[1] === 0xfe) return 'UTF-16LE';
  if (sample[0] === 0xfe && sample[1] === 0xff) return 'UTF-16BE';
  const zeros = [0, 0];
  sample.forEach((byte, i) => byte === 0 && zeros[i & 1]!++);
  const [even, odd] = zeros as [number, number];
  if (odd > sample.length / 8 && even * 8 < odd) return 'UTF-16LE';
  return even > sample.length / 8 && odd * 8 < even ? 'UTF-16BE' : undefined;
}
