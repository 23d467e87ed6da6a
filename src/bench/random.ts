import { LAYOUTS, tensorBytes } from '../files/dtypes.js';
import type { DType } from '../files/types.js';

/** Seeded numbers from 0 to below 2^32: xorshift32 (Marsaglia 2003). */
function words(seed: number): () => number {
  let state = (seed * 2654435761) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>>= 0);
  };
}

export const below = (seed: number): ((limit: number) => number) => {
  const next = words(seed);
  return (limit) => next() % limit;
};

/** -1 … 1, in steps that f16 and bf16 hold exactly: 7 bits and a sign. */
export function floats(count: number, seed: number): Float32Array<ArrayBuffer> {
  const next = words(seed);
  return Float32Array.from({ length: count }, () => ((next() >>> 8) % 255) / 128 - 127 / 128);
}

/** The upper bits of each f32; f16 takes the exponent down by 112 besides. Exact for the values of `floats`. */
const FROM_BITS: Readonly<Record<'f32' | 'f16' | 'bf16', (bits: number) => number>> = {
  f32: (bits) => bits,
  bf16: (bits) => bits >>> 16,
  f16: (bits) => ((bits & 0x7fffffff) === 0 ? 0 : ((bits >>> 16) & 0x8000) | (((bits >>> 13) & 0x3ffff) - (112 << 10))),
};

/** What its scales and minima (f16) are, to make weights of about 0.01 to 0.1. */
const SCALES: Readonly<Partial<Record<DType, readonly number[]>>> = {
  q8_0: [0x1400],
  q4_0: [0x2000],
  q4_1: [0x2000, 0xac00],
  q5_0: [0x1c00],
  q5_1: [0x1c00, 0xac00],
  q4_K: [0x0c00, 0x1780],
  q5_K: [0x0800, 0x1780],
  q6_K: [0x0400],
};

/** For types without such: 2^-8. */
const SMALL_HALF = 0x1c00;

/** A matrix of random weights as a file holds it, row by row. */
export function weightBytes(type: DType, columns: number, rows: number, seed: number): Uint8Array<ArrayBuffer> {
  const next = words(seed);
  if (type === 'f32' || type === 'f16' || type === 'bf16') {
    const bits = new Uint32Array(floats(columns * rows, seed).buffer);
    const values = Array.from(bits, FROM_BITS[type]);
    return new Uint8Array((type === 'f32' ? Uint32Array : Uint16Array).from(values).buffer);
  }
  const data = new Uint8Array(tensorBytes(type, [columns, rows])!);
  for (let i = 0; i < data.length; i++) data[i] = next() >>> 24;
  const view = new DataView(data.buffer);
  const { bytes, halves = [] } = LAYOUTS[type];
  for (let at = 0; at < data.length; at += bytes) halves.forEach((offset, i) => view.setUint16(at + offset, SCALES[type]?.[i] ?? SMALL_HALF, true));
  return data;
}

/** The unit matrix in q4_0 with n columns: a scale of 1, codes 8 (for 0) and 9; a byte holds the codes of columns j and j + 16. */
export function unitMatrix(n: number): Uint8Array<ArrayBuffer> {
  const { bytes, elements } = LAYOUTS.q4_0;
  const blocks = n / elements;
  const data = new Uint8Array(n * blocks * bytes).fill(0x88);
  const view = new DataView(data.buffer);
  for (let at = 0; at < data.length; at += bytes) view.setUint16(at, 0x3c00, true);
  for (let row = 0; row < n; row++) data[(row * blocks + Math.floor(row / elements)) * bytes + 2 + (row % 16)]! += row % elements < 16 ? 1 : 16;
  return data;
}
