/**
 * Scales at the head of a packed superblock, for 8 rows, by how a type keeps them (types.ts):
 * - INTEGERS: i16 scale[8], to be multiplied by the rows' powers of two (f16 if the group is wide: integers.ts).
 * - MINIMA: f32 scale[8], f32 minimum[8]. Twice the file's bytes, and no work for each token.
 * - SUPER_MINIMA: f32 d[8], f32 -dmin[8], then u8 scale[8 blocks][8], then u8 minimum[4 pairs of blocks][8][2]; a block's scale is
 *   d x scale and its minimum -dmin x minimum, rounded to f32 as ggml rounds them.
 * - SIXTEENTHS: f32 d[8], then per block i8 sixteenth[2][8], one for each 16 columns.
 */
import { halfToFloat } from './half';
import { NOT_FINITE, floats } from './integers';
import { hasIntegers, hasMinimum, hasSixteenths, hasSums, isK } from './types';

export const BLOCK_SCALES: usize = 64;
export const BLOCK_MINIMA: usize = 128;
export const SIXTEENTHS: usize = 32;

/** Where SUPER_MINIMA has the integers of block `sub` at `row`. */
// @ts-ignore: decorator
@inline export function smallScaleAt(head: usize, sub: usize, row: usize): usize { return head + BLOCK_SCALES + (sub << 3) + row; }
// @ts-ignore: decorator
@inline export function smallMinimumAt(head: usize, sub: usize, row: usize): usize { return head + BLOCK_MINIMA + (sub >> 1 << 4) + (row << 1) + (sub & 1); }

/** Scale of block `sub` at `row`; SIXTEENTHS: d alone, see sixteenthAt. Integers without the row's power; `wide`: as the group's head has it. */
// @ts-ignore: decorator
@inline export function scaleAt<W>(head: usize, sub: usize, row: usize, wide: i32): f32 {
  if (hasIntegers<W>()) return wide ? halfToFloat(load<u16>(head + (row << 1))) : <f32>load<i16>(head + (row << 1));
  const scale = load<f32>(head + (row << 2));
  return hasSums<W>() ? scale * <f32>load<u8>(smallScaleAt(head, sub, row)) : scale;
}

/** What is added to scale x code, for types with a minimum. */
// @ts-ignore: decorator
@inline export function minimumAt<W>(head: usize, sub: usize, row: usize): f32 {
  const minimum = load<f32>(head + (row << 2), 32);
  return isK<W>() ? minimum * <f32>load<u8>(smallMinimumAt(head, sub, row)) : minimum;
}

/** SIXTEENTHS: the integer scale of columns 16 * part.. of block `sub`. */
// @ts-ignore: decorator
@inline export function sixteenthAt(head: usize, sub: usize, part: usize, row: usize): i32 {
  return load<i8>(head + (sub << 4) + (part << 3) + row, SIXTEENTHS);
}

/** The 16 bytes of small scales of a K-quant's block: eight scales, then eight minima; SIXTEENTHS: two for each row. */
// @ts-ignore: decorator
@inline export function smallScales<W>(head: usize, sub: usize): v128 {
  if (!isK<W>()) return i32x4.splat(0);
  if (hasSixteenths<W>()) return v128.load(head + (sub << 4), SIXTEENTHS);
  const pairs = v128.load(head + (sub >> 1 << 4), BLOCK_MINIMA), minima = sub & 1 ? i16x8.shr_u(pairs, 8) : v128.and(pairs, i16x8.splat(255));
  return v128.shuffle<i64>(v128.load64_zero(head + (sub << 3), BLOCK_SCALES), i8x16.narrow_i16x8_u(minima, minima), 0, 2);
}

/** Rows 4 * half.. of scaleAt. */
// @ts-ignore: decorator
@inline export function scales<W>(head: usize, small: v128, half: i32, wide: i32): v128 {
  if (hasIntegers<W>()) return wide ? halfScales(head, half, wide) : f32x4.convert_i32x4_s(half ? v128.load16x4_s(head, 8) : v128.load16x4_s(head));
  const scale = half ? v128.load(head, 16) : v128.load(head);
  return hasSums<W>() ? f32x4.mul(scale, smallFloats(i16x8.extend_low_i8x16_u(small), half)) : scale;
}

/** Four f16 scales. */
// @ts-ignore: decorator
@inline function halfScales(head: usize, half: i32, wide: i32): v128 {
  const value = floats(v128.load(head), half);
  return wide == NOT_FINITE ? notFinite(value) : value;
}

/** With infinity or NaN for numbers too large for f16. */
function notFinite(value: v128): v128 {
  const finite = f32x4.lt(f32x4.abs(value), f32x4.splat(65536));
  return v128.or(value, v128.andnot(i32x4.splat(0x7F800000), finite));
}

/** Rows 4 * half.. of minimumAt; zeros for types without. */
// @ts-ignore: decorator
@inline export function minima<W>(head: usize, small: v128, half: i32): v128 {
  if (!hasMinimum<W>()) return i32x4.splat(0);
  const minimum = half ? v128.load(head, 48) : v128.load(head, 32);
  return isK<W>() ? f32x4.mul(minimum, smallFloats(i16x8.extend_high_i8x16_u(small), half)) : minimum;
}

/** Rows 4 * half.. of sixteenthAt, as i32x4. */
// @ts-ignore: decorator
@inline export function sixteenths(small: v128, part: i32, half: i32): v128 {
  const words = part ? i16x8.extend_high_i8x16_s(small) : i16x8.extend_low_i8x16_s(small);
  return half ? i32x4.extend_high_i16x8_s(words) : i32x4.extend_low_i16x8_s(words);
}

/** SUPER_MINIMA: the integer scales of rows 4 * half.. of block `sub`, as i32x4. */
// @ts-ignore: decorator
@inline export function blockScales(head: usize, sub: usize, half: i32): v128 {
  const words = v128.load8x8_u(head + (sub << 3), BLOCK_SCALES);
  return half ? i32x4.extend_high_i16x8_u(words) : i32x4.extend_low_i16x8_u(words);
}

/** Four of eight u16 as f32x4. */
// @ts-ignore: decorator
@inline function smallFloats(words: v128, half: i32): v128 {
  return f32x4.convert_i32x4_s(half ? i32x4.extend_high_i16x8_u(words) : i32x4.extend_low_i16x8_u(words));
}
