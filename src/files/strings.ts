import type { Cursor } from './head.js';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder('utf-8', { ignoreBOM: true });

/** One string: 64-bit length, UTF-8 bytes. */
export const readString = (cursor: Cursor, what: string): string => lenient.decode(cursor.bytes(cursor.count(1, `${what} bytes`)));

/**
 * `count` strings in a row. A call of TextDecoder per token would take longer than all the rest: the bytes are joined,
 * decoded at once, and cut by their lengths in UTF-16 units, counted on the way.
 */
export function readStrings(cursor: Cursor, count: number): string[] {
  const first = cursor.position;
  const ends = new Uint32Array(count);
  let bytes = 0;
  for (let i = 0; i < count; i++) ends[i] = bytes += cursor.passString();
  const last = cursor.position;
  cursor.position = first;
  return decodeJoined(join(cursor.bytes(last - first), ends), ends);
}

/** Removes the 8-byte lengths between the strings. */
function join(block: Uint8Array, ends: Uint32Array): Uint8Array {
  const joined = new Uint8Array(ends.at(-1) ?? 0);
  for (let i = 0, from = 0; i < ends.length; i++) {
    const to = ends[i]!;
    const shift = 8 * (i + 1);
    for (let j = from; j < to; j++) joined[j] = block[j + shift]!;
    from = to;
  }
  return joined;
}

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
