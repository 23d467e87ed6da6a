import { WEIGHT_TYPES, type WeightType } from '../kernels/weight-types.js';
import { unsupported } from './refuse.js';
import { DTYPES, type DType } from './types.js';

/** Block sizes from ggml-common.h. Rows are whole numbers of blocks. */
export const LAYOUTS: Readonly<Record<DType, WeightType>> = WEIGHT_TYPES;

const BY_ID = new Map(DTYPES.map((type) => [LAYOUTS[type].id, type]));

/** ggml types that exist, but not here: named in the error. */
const OTHER_TYPES: Readonly<Record<number, string>> = {
  4: 'Q4_2', 5: 'Q4_3', 9: 'Q8_1', 10: 'Q2_K', 11: 'Q3_K', 15: 'Q8_K', 16: 'IQ2_XXS', 17: 'IQ2_XS', 18: 'IQ3_XXS', 19: 'IQ1_S',
  20: 'IQ4_NL', 21: 'IQ3_S', 22: 'IQ2_S', 23: 'IQ4_XS', 24: 'I8', 25: 'I16', 26: 'I32', 27: 'I64', 28: 'F64', 29: 'IQ1_M',
  31: 'Q4_0_4_4', 32: 'Q4_0_4_8', 33: 'Q4_0_8_8', 34: 'TQ1_0', 35: 'TQ2_0', 36: 'IQ4_NL_4_4', 37: 'IQ4_NL_4_8', 38: 'IQ4_NL_8_8',
  39: 'MXFP4', 40: 'NVFP4', 41: 'Q1_0', 42: 'Q2_0',
};

/** The type with ggml's number `id`. @throws StonechatError `unsupported`, naming the type and the tensor. */
export function dtypeOfId(id: number, tensor: string): DType {
  const type = BY_ID.get(id);
  if (type) return type;
  const name = OTHER_TYPES[id] ?? `unknown type ${id}`;
  throw unsupported(`tensor types ${DTYPES.join(', ')}`, `${name} (ggml type ${id}) in tensor ${tensor}`, 'Use another quantisation of this model, such as Q4_0, Q4_K_M, Q6_K or Q8_0.');
}

/**
 * Bytes of a tensor of `type` and GGUF-order `shape`, or undefined where a row is no whole number of blocks or
 * the size is beyond 2^53.
 */
export function tensorBytes(type: DType, shape: readonly number[]): number | undefined {
  const { elements, bytes } = LAYOUTS[type];
  const blocks = shape.reduce((product, size) => product * size, 1) / elements;
  const total = blocks * bytes;
  return (shape[0] ?? 1) % elements === 0 && Number.isSafeInteger(total) ? total : undefined;
}

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** IEEE binary16 to number, exact. */
export function halfToFloat(half: number): number {
  const exponent = (half >> 10) & 31;
  const mantissa = half & 1023;
  if (exponent === 0) return (half & 0x8000 ? -1 : 1) * mantissa * 5.9604644775390625e-8; // subnormal: mantissa x 2^-24
  bits[0] = ((half & 0x8000) << 16) | ((exponent === 31 ? 255 : exponent + 112) << 23) | (mantissa << 13);
  return float[0]!;
}

/** Writes one block's values to out[at …]. `p` is the block's first byte. */
type Decode = (view: DataView, p: number, out: Float32Array, at: number) => void;

const half = (view: DataView, p: number): number => halfToFloat(view.getUint16(p, true));

/** Blocks of 32 with 4-bit codes: element i in the low nibble of byte i, element i + 16 in its high nibble. */
const nibbles =
  (codes: number, value: (view: DataView, p: number) => (code: number, i: number) => number): Decode =>
  (view, p, out, at) => {
    const of = value(view, p);
    for (let i = 0; i < 16; i++) {
      const byte = view.getUint8(p + codes + i);
      out[at + i] = of(byte & 15, i);
      out[at + i + 16] = of(byte >> 4, i + 16);
    }
  };

/** The fifth bit of element i is bit i of the 32-bit word at `p`. */
const fifth = (view: DataView, p: number, i: number): number => ((view.getUint32(p, true) >>> i) & 1) << 4;

/**
 * Scale or minimum j (0 … 7) of a 256-block of Q4_K/Q5_K: 6 bits each, packed in 12 bytes; the last four keep
 * their upper two bits in the upper bits of the first eight bytes. See ggml-quants.c, get_scale_min_k4.
 */
function scaleAndMin(view: DataView, p: number, j: number): [number, number] {
  const byte = (i: number) => view.getUint8(p + i);
  if (j < 4) return [byte(j) & 63, byte(j + 4) & 63];
  return [(byte(j + 4) & 15) | ((byte(j - 4) >> 6) << 4), (byte(j + 4) >> 4) | ((byte(j) >> 6) << 4)];
}

/** Q4_K and Q5_K: d and dmin (f16), 12 bytes of scales, Q5_K's 32 bytes of fifth bits, 128 bytes of nibbles. */
const kQuant =
  (high: number, codes: number): Decode =>
  (view, p, out, at) => {
    for (let i = 0; i < 256; i++) {
      const sub = i >> 5;
      const [scale, min] = scaleAndMin(view, p + 4, sub);
      const byte = view.getUint8(p + codes + (i >> 6) * 32 + (i & 31));
      const extra = high ? ((view.getUint8(p + high + (i & 31)) >> sub) & 1) << 4 : 0;
      const code = (sub & 1 ? byte >> 4 : byte & 15) + extra;
      out[at + i] = Math.fround(Math.fround(half(view, p) * scale) * code) - Math.fround(half(view, p + 2) * min);
    }
  };

/** Q6_K: 128 bytes of low nibbles, 64 of upper bit pairs, 16 signed scales (one per 16 values), d (f16). */
const q6K: Decode = (view, p, out, at) => {
  const d = half(view, p + 208);
  for (let i = 0; i < 256; i++) {
    const within = i & 127;
    const low = view.getUint8(p + (i >> 7) * 64 + (within & 63));
    const high = view.getUint8(p + 128 + (i >> 7) * 32 + (within & 31)) >> ((within >> 5) * 2);
    const code = ((within & 64 ? low >> 4 : low & 15) | ((high & 3) << 4)) - 32;
    out[at + i] = Math.fround(d * view.getInt8(p + 192 + (i >> 4))) * code;
  }
};

const DECODE: Readonly<Record<DType, Decode>> = {
  f32: (view, p, out, at) => (out[at] = view.getFloat32(p, true)),
  f16: (view, p, out, at) => (out[at] = half(view, p)),
  bf16: (view, p, out, at) => {
    bits[0] = view.getUint16(p, true) << 16;
    out[at] = float[0]!;
  },
  q8_0: (view, p, out, at) => {
    for (let i = 0; i < 32; i++) out[at + i] = half(view, p) * view.getInt8(p + 2 + i);
  },
  q4_0: nibbles(2, (view, p) => (code) => half(view, p) * (code - 8)),
  q4_1: nibbles(4, (view, p) => (code) => half(view, p) * code + half(view, p + 2)),
  q5_0: nibbles(6, (view, p) => (code, i) => half(view, p) * ((code | fifth(view, p + 2, i)) - 16)),
  q5_1: nibbles(8, (view, p) => (code, i) => half(view, p) * (code | fifth(view, p + 4, i)) + half(view, p + 2)),
  q4_K: kQuant(0, 16),
  q5_K: kQuant(16, 48),
  q6_K: q6K,
};

/** The `count` values in `bytes`, decoded. Meant for norms and biases: matrices are decoded by the kernels. */
export function toFloat32(type: DType, bytes: Uint8Array, count: number): Float32Array {
  const layout = LAYOUTS[type];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Float32Array(Math.ceil(count / layout.elements) * layout.elements);
  for (let at = 0, p = 0; at < count; at += layout.elements, p += layout.bytes) DECODE[type](view, p, out, at);
  return out.length === count ? out : out.slice(0, count);
}
