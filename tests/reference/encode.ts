// What ggml's reference quantisers do with 32 values (quantize_row_q4_1_ref and its like), every operation rounded to f32 as C has it.
const f32 = Math.fround;

/** Nearest f16, ties to even. */
export function halfOf(x: number): number {
  const magnitude = Math.abs(x), sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  if (magnitude >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude || 2 ** -30)));
  const units = magnitude / 2 ** (exponent - 10), low = Math.floor(units), rest = units - low;
  const rounded = rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low;
  return sign | (exponent === -14 ? rounded : ((exponent + 14) << 10) + rounded);
}

/** The value of f16 bits. */
export function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24);
}

const code = (x: number, most: number) => Math.min(most, Math.trunc(x));

/** A block as its file has it: halves, the word of fifth bits where there are any, nibbles. */
function pack(halves: readonly number[], codes: readonly number[], five: boolean): number[] {
  const bytes = halves.flatMap((half) => [half & 255, half >> 8]);
  const word = codes.reduce((bits, value, i) => (bits | ((value >> 4) << i)) >>> 0, 0);
  if (five) bytes.push(...[0, 8, 16, 24].map((shift) => (word >>> shift) & 255));
  for (let i = 0; i < 16; i++) bytes.push((codes[i]! & 15) | ((codes[i + 16]! & 15) << 4));
  return bytes;
}

/** Types with a scale alone: q4_0 (16 codes), q5_0 (32). */
export function symmetric(values: Float32Array, codes: 16 | 32): number[] {
  const extreme = values.reduce((found, x) => (Math.abs(x) > Math.abs(found) ? x : found), 0);
  const d = f32(extreme / -(codes / 2));
  const inverse = d ? f32(1 / d) : 0;
  return pack([halfOf(d)], Array.from(values, (x) => code(f32(f32(x * inverse) + codes / 2 + 0.5), codes - 1)), codes === 32);
}

/** Types with a scale and a minimum: q4_1, q5_1. */
export function asymmetric(values: Float32Array, codes: 16 | 32): number[] {
  const least = Math.min(...values), most = Math.max(...values);
  const d = f32(f32(most - least) / (codes - 1));
  const inverse = d ? f32(1 / d) : 0;
  return pack([halfOf(d), halfOf(least)], Array.from(values, (x) => code(f32(f32(f32(x - least) * inverse) + 0.5), codes - 1)), codes === 32);
}
