import type { Cursor } from './head.js';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder('utf-8', { ignoreBOM: true });
const utf8 = new TextEncoder();

/** Bytes of the length in front of each string. */
const PREFIX = 8;

/** One string: 64-bit length, UTF-8 bytes. */
export const readString = (cursor: Cursor, what: string): string => lenient.decode(cursor.bytes(cursor.count(1, `${what} bytes`)));

/**
 * Strings as a GGUF file has them: of each its length in 64 bits and its UTF-8 bytes. A vocabulary has up to 262,144, and merges
 * as many: they stay bytes, and become strings of JavaScript when they are asked for.
 */
export class StringList implements Iterable<string> {
  private constructor(
    /** Lengths and bytes, as in the file. */
    readonly block: Uint8Array,
    /** Where each string's bytes begin; last, PREFIX behind the end. */
    readonly starts: Uint32Array,
  ) {}

  /** `count` strings in a row. */
  static read(cursor: Cursor, count: number): StringList {
    const first = cursor.position;
    const starts = new Uint32Array(count + 1);
    cursor.passStrings(starts);
    const bytes = cursor.position - first;
    cursor.position = first;
    return new StringList(cursor.bytes(bytes).slice(), starts); // a copy, so that the rest of the header can go
  }

  static from(strings: StringList | readonly string[]): StringList {
    if (strings instanceof StringList) return strings;
    const block = new Uint8Array(strings.reduce((sum, { length }) => sum + PREFIX + 3 * length, 0));
    const view = new DataView(block.buffer);
    const starts = new Uint32Array(strings.length + 1);
    let end = 0;
    for (let i = 0; i < strings.length; i++) {
      const start = (starts[i] = end + PREFIX);
      end = writeString(strings[i]!, block, start);
      view.setUint32(start - PREFIX, end - start, true);
    }
    starts[strings.length] = end + PREFIX;
    return new StringList(block.slice(0, end), starts);
  }

  get length(): number {
    return this.starts.length - 1;
  }

  /** Where the bytes of a string end. */
  endOf(index: number): number {
    return this.starts[index + 1]! - PREFIX;
  }

  /** The string whose bytes begin at a place of the block, -1 if none does. */
  indexAt(place: number): number {
    let low = 0;
    for (let high = this.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (this.starts[middle]! < place) low = middle + 1;
      else high = middle;
    }
    return low < this.length && this.starts[low] === place ? low : -1;
  }

  at(index: number): string | undefined {
    return index < this.length ? lenient.decode(this.block.subarray(this.starts[index], this.endOf(index))) : undefined;
  }

  /** All of them: a call of TextDecoder for each would take longer than all the rest. */
  toArray(): string[] {
    const ends = this.joinedEnds();
    return decodeJoined(this.join(ends), ends);
  }

  [Symbol.iterator](): Iterator<string> {
    return this.toArray()[Symbol.iterator]();
  }

  toJSON(): string[] {
    return this.toArray();
  }

  private joinedEnds(): Uint32Array {
    const ends = new Uint32Array(this.length);
    for (let i = 0; i < ends.length; i++) ends[i] = this.starts[i + 1]! - PREFIX * (i + 2);
    return ends;
  }

  /** The strings end to end, without their lengths. */
  private join(ends: Uint32Array): Uint8Array {
    const joined = new Uint8Array(ends.at(-1) ?? 0);
    for (let i = 0, j = 0; i < ends.length; i++) {
      const shift = PREFIX * (i + 1);
      for (const end = ends[i]!; j < end; j++) joined[j] = this.block[j + shift]!;
    }
    return joined;
  }
}

/** Writes a string; returns the end of its bytes. */
function writeString(text: string, into: Uint8Array, at: number): number {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 127) return at + i + utf8.encodeInto(text.slice(i), into.subarray(at + i)).written;
    into[at + i] = unit;
  }
  return at + text.length;
}

/** Decoded at once, and cut by lengths in UTF-16 units. */
function decodeJoined(joined: Uint8Array, ends: Uint32Array): string[] {
  const units = unitEnds(joined, ends);
  const text = units && decodeStrictly(joined);
  if (text === undefined) return pieces(ends, (from, to) => lenient.decode(joined.subarray(from, to)));
  return pieces(units!, (from, to) => text.slice(from, to));
}

function pieces(ends: Uint32Array, piece: (from: number, to: number) => string): string[] {
  const all = new Array<string>(ends.length);
  for (let i = 0; i < ends.length; i++) all[i] = piece(i === 0 ? 0 : ends[i - 1]!, ends[i]!);
  return all;
}

/** Where the strings end in UTF-16 units; undefined if one begins in the middle of a character. */
function unitEnds(joined: Uint8Array, ends: Uint32Array): Uint32Array | undefined {
  const units = new Uint32Array(ends.length);
  for (let i = 0, j = 0, count = 0; i < ends.length; i++) {
    const end = ends[i]!;
    if (j < end && isContinuation(joined[j]!)) return undefined;
    for (; j < end; j++) {
      const byte = joined[j]!;
      if (!isContinuation(byte)) count += byte >= 0xf0 ? 2 : 1; // four bytes: a surrogate pair
    }
    units[i] = count;
  }
  return units;
}

const isContinuation = (byte: number): boolean => (byte & 0xc0) === 0x80;

function decodeStrictly(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}
