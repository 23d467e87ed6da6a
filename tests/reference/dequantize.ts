import type { DType } from '../../src/files/types.js';

/** The quantised types, whose activations may be int8. */
export const QUANTISED = ['q8_0', 'q4_0', 'q4_1', 'q5_0', 'q5_1', 'q4_K', 'q5_K', 'q6_K'] as const satisfies readonly DType[];
export type Quantised = (typeof QUANTISED)[number];

/** Columns and bytes of one block in a file (ggml-common.h). */
export const FILE_BLOCK: Record<DType, { columns: number; bytes: number }> = {
  f32: { columns: 1, bytes: 4 },
  f16: { columns: 1, bytes: 2 },
  bf16: { columns: 1, bytes: 2 },
  q8_0: { columns: 32, bytes: 34 },
  q4_0: { columns: 32, bytes: 18 },
  q4_1: { columns: 32, bytes: 20 },
  q5_0: { columns: 32, bytes: 22 },
  q5_1: { columns: 32, bytes: 24 },
  q4_K: { columns: 256, bytes: 144 },
  q5_K: { columns: 256, bytes: 176 },
  q6_K: { columns: 256, bytes: 210 },
};

/** 32 columns: value = scale x factor x code + minimum, factor one per 16 columns. */
export interface Block {
  codes: number[];
  scale: number;
  minimum: number;
  factors: [number, number];
  /** q4_K and q5_K: the superblock's scales and the block's integers, whose products scale and minimum are. */
  integers?: { d: number; scale: number; dmin: number; minimum: number };
}

const f32 = Math.fround;

/** The value of f16 bits, exactly. */
export function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa ? NaN : sign * Infinity;
  return sign * (exponent ? (1 + mantissa / 1024) * 2 ** (exponent - 15) : mantissa * 2 ** -24);
}

/** Scale and minimum `j` of the 12 bytes of q4_K and q5_K (ggml-quants.c, get_scale_min_k4). */
function blockScale(bytes: DataView, j: number): [number, number] {
  const q = (i: number) => bytes.getUint8(4 + i);
  if (j < 4) return [q(j) & 63, q(j + 4) & 63];
  return [(q(j + 4) & 15) | ((q(j - 4) >> 6) << 4), (q(j + 4) >> 4) | ((q(j) >> 6) << 4)];
}

/** The blocks of 32 columns of one file block, as ggml's dequantize_row_* reads them. */
function decode(type: Quantised, bytes: DataView): Block[] {
  const byte = (i: number) => bytes.getUint8(i);
  const half = (i: number) => halfValue(bytes.getUint16(i, true));
  const columns = (code: (l: number) => number) => Array.from({ length: 32 }, (_, l) => code(l));
  const nibble = (at: number) => (l: number) => (byte(at + (l & 15)) >> (l < 16 ? 0 : 4)) & 15;
  const fifth = (at: number) => (l: number) => ((bytes.getUint32(at, true) >>> l) & 1) << 4;
  const plain = (codes: number[], minimum = 0): Block[] => [{ codes, scale: half(0), minimum, factors: [1, 1] }];
  const blocks = (of: (sub: number) => Block) => Array.from({ length: 8 }, (_, sub) => of(sub));
  const scaled = (codes: number[], sub: number): Block => {
    const [scale, minimum] = blockScale(bytes, sub);
    return { codes, scale: f32(half(0) * scale), minimum: -f32(half(2) * minimum), factors: [1, 1], integers: { d: half(0), scale, dmin: half(2), minimum } };
  };
  const low = (at: number, sub: number) => (l: number) => (byte(at + 32 * (sub >> 1) + l) >> (4 * (sub & 1))) & 15;
  switch (type) {
    case 'q8_0': return plain(columns((l) => bytes.getInt8(2 + l)));
    case 'q4_0': return plain(columns((l) => nibble(2)(l) - 8));
    case 'q4_1': return plain(columns(nibble(4)), half(2));
    case 'q5_0': return plain(columns((l) => (nibble(6)(l) | fifth(2)(l)) - 16));
    case 'q5_1': return plain(columns((l) => nibble(8)(l) | fifth(4)(l)), half(2));
    case 'q4_K': return blocks((sub) => scaled(columns(low(16, sub)), sub));
    case 'q5_K': return blocks((sub) => scaled(columns((l) => low(48, sub)(l) | (((byte(16 + l) >> sub) & 1) << 4)), sub));
    case 'q6_K': return blocks((sub) => {
      const base = 64 * (sub >> 2) + 32 * (sub & 1);
      const code = (l: number) => ((byte(base + l) >> (4 * ((sub >> 1) & 1))) & 15) | (((byte(128 + 32 * (sub >> 2) + l) >> (2 * (sub & 3))) & 3) << 4);
      return { codes: columns((l) => code(l) - 32), scale: half(208), minimum: 0, factors: [bytes.getInt8(192 + 2 * sub), bytes.getInt8(193 + 2 * sub)] };
    });
  }
}

/** All blocks of 32 of a row-major file matrix, in order. */
export function decodeBlocks(type: Quantised, raw: Uint8Array): Block[] {
  const size = FILE_BLOCK[type].bytes;
  const found: Block[] = [];
  for (let at = 0; at < raw.length; at += size) found.push(...decode(type, new DataView(raw.buffer, raw.byteOffset + at, size)));
  return found;
}

/** The values of a row-major file matrix, as ggml computes them in f32. */
export function dequantize(type: DType, raw: Uint8Array): Float32Array {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
  if (type === 'f32') return Float32Array.from({ length: raw.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
  if (type === 'f16') return Float32Array.from({ length: raw.length / 2 }, (_, i) => halfValue(view.getUint16(2 * i, true)));
  if (type === 'bf16') return new Float32Array(Uint32Array.from({ length: raw.length / 2 }, (_, i) => view.getUint16(2 * i, true) << 16).buffer);
  const symmetric = !type.endsWith('_1') && type !== 'q4_K' && type !== 'q5_K';
  return Float32Array.from(decodeBlocks(type, raw).flatMap(({ codes, scale, minimum, factors }) =>
    codes.map((code, l) => {
      const value = f32(f32(scale * factors[l >> 4]!) * code);
      return symmetric ? value : f32(value + minimum);
    })));
}

/** Random rows as a file holds them. All bytes are free but the f16 scales, which `scale` gives (as bits). */
export function randomRaw(type: DType, n: number, k: number, next: () => number, scale = () => randomHalf(next)): Uint8Array {
  const { columns, bytes } = FILE_BLOCK[type];
  const raw = Uint8Array.from({ length: (n * k * bytes) / columns }, () => next() * 256);
  const view = new DataView(raw.buffer);
  for (let at = 0; at < raw.length; at += bytes) {
    if (type === 'f32') view.setFloat32(at, next() * 2 - 1, true);
    else if (type === 'bf16') view.setUint16(at, 0x3c00 + next() * 0x380 + (next() < 0.5 ? 0x8000 : 0), true);
    else if (type === 'q6_K') view.setUint16(at + 208, scale(), true);
    else {
      view.setUint16(at, scale(), true);
      if (type.endsWith('_1') || type === 'q4_K' || type === 'q5_K') view.setUint16(at + 2, scale(), true);
    }
  }
  return raw;
}

/** Bits of a finite f16 of either sign, around 1/16 (sometimes zero or subnormal). */
function randomHalf(next: () => number): number {
  const kind = next();
  const magnitude = kind < 0.05 ? next() * 1024 : kind < 0.08 ? 0 : 0x2400 + next() * 0x1800;
  return (next() < 0.5 ? 0x8000 : 0) | magnitude;
}
