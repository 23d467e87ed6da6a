/**
 * Scales at the head of a packed superblock, for 8 rows:
 * - q8_0, q4_0, q5_0: f32 scale[8].
 * - q4_1, q5_1: f16 scale[8], f16 minimum[8], both as pairs (half.ts).
 * - q4_K, q5_K: f32 d[8], f32 dmin[8], then per block u8 scale[8], u8 minimum[8]; the block's scale is d x scale and
 *   its minimum -(dmin x minimum), rounded to f32 as ggml rounds them.
 * - q6_K: f32 d[8], then i8 scale[16][8], one for each 16 columns.
 */
import { halves, loadHalf, pairOffset } from './half';
import { Q6_K, hasHalfPairs, is, isK } from './types';

const BLOCK_SCALES: usize = 64;
const SIXTEENTHS: usize = 32;

/** Scale of block `sub` at `row`; q6_K: d alone, see sixteenthAt. */
// @ts-ignore: decorator
@inline export function scaleAt<W>(head: usize, sub: usize, row: usize): f32 {
  if (hasHalfPairs<W>()) return loadHalf(head + pairOffset(row));
  const scale = load<f32>(head + (row << 2));
  return isK<W>() && !is<W, Q6_K>() ? scale * <f32>load<u8>(head + (sub << 4) + row, BLOCK_SCALES) : scale;
}

/** What is added to scale x code, for types with a minimum. */
// @ts-ignore: decorator
@inline export function minimumAt<W>(head: usize, sub: usize, row: usize): f32 {
  if (hasHalfPairs<W>()) return loadHalf(head + pairOffset(row) + 16);
  return -(load<f32>(head + (row << 2), 32) * <f32>load<u8>(head + (sub << 4) + row, BLOCK_SCALES + 8));
}

/** q6_K: the integer scale of columns 16 * part.. of block `sub`. */
// @ts-ignore: decorator
@inline export function sixteenthAt(head: usize, sub: usize, part: usize, row: usize): i32 {
  return load<i8>(head + (sub << 4) + (part << 3) + row, SIXTEENTHS);
}

/** Rows 4 * half.. of scaleAt. */
// @ts-ignore: decorator
@inline export function scales<W>(head: usize, sub: usize, half: usize): v128 {
  if (hasHalfPairs<W>()) return halves(v128.load(head), <i32>half);
  const scale = v128.load(head + (half << 4));
  return isK<W>() && !is<W, Q6_K>() ? f32x4.mul(scale, smallFloats(head + (sub << 4) + (half << 2) + BLOCK_SCALES)) : scale;
}

/** Rows 4 * half.. of minimumAt. */
// @ts-ignore: decorator
@inline export function minima<W>(head: usize, sub: usize, half: usize): v128 {
  if (hasHalfPairs<W>()) return halves(v128.load(head, 16), <i32>half);
  return f32x4.neg(f32x4.mul(v128.load(head + (half << 4), 32), smallFloats(head + (sub << 4) + (half << 2) + BLOCK_SCALES + 8)));
}

/** Rows 4 * half.. of sixteenthAt, as i32x4. */
// @ts-ignore: decorator
@inline export function sixteenths(head: usize, sub: usize, part: usize, half: usize): v128 {
  const bytes = v128.load32_zero(head + (sub << 4) + (part << 3) + (half << 2), SIXTEENTHS);
  return i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(bytes));
}

/** Four u8 as f32x4. */
// @ts-ignore: decorator
@inline function smallFloats(address: usize): v128 {
  return f32x4.convert_i32x4_u(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(address))));
}
