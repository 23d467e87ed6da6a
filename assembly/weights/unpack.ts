/**
 * Packed weights back to f32: one value, or a group of 8 rows as the panel that the f32 GEMM reads for every token.
 * Dequantised values are ggml's, bit for bit: scale x (code - offset), or scale x code + minimum, each step rounded to f32
 * (SIXTEENTHS: the scale is d x sixteenth, rounded).
 */
import { SIMD } from '../lanes';
import { chunkCodes, codeAt, maskOf } from './codes';
import { wideness, powerAt, powers } from './integers';
import { unpackPairs } from './pairs';
import { minima, minimumAt, scaleAt, scales, sixteenthAt, sixteenths, smallScales } from './scales';
import { BLOCK, GROUP, codeBytes, groupHead, hasIntegers, hasMinimum, hasSixteenths, headerBytes, isFloat, isPaired, offset, subs, superBytes, supers, the } from './types';

/** The value at `row` (0..7), `column` of a packed group. */
// @ts-ignore: decorator
@inline export function valueAt<W>(group: usize, row: usize, column: usize): f32 {
  if (isFloat<W>()) return the<W>().valueAt(group, row, column);
  const block = column >> 5, sub = block & (subs<W>() - 1);
  const head = group + groupHead<W>() + block / subs<W>() * superBytes<W>();
  return blockValue<W>(group, head, sub, row, column & 31);
}

// @ts-ignore: decorator
@inline function blockValue<W>(group: usize, head: usize, sub: usize, row: usize, column: usize): f32 {
  const code = <f32>(codeAt<W>(head + headerBytes<W>() + sub * codeBytes<W>(), row, column) - offset<W>());
  const scale = hasIntegers<W>() ? scaleAt<W>(head, sub, row, wideness(group)) * powerAt(group, row) : scaleAt<W>(head, sub, row, 0);
  if (hasSixteenths<W>()) return scale * <f32>sixteenthAt(head, sub, column >> 4, row) * code;
  return hasMinimum<W>() ? scale * code + minimumAt<W>(head, sub, row) : scale * code;
}

/** Unpacks columns first..end (whole superblocks) of a group to f32: 8 rows of each, 32 bytes a column. */
export function unpackFloats<W>(panel: usize, group: usize, first: i32, end: i32): void {
  if (!SIMD || isPaired<W>() && the<W>().isWide(group)) {
    for (let column = first; column < end; column++) {
      for (let row: usize = 0; row < <usize>GROUP; row++) store<f32>(panel + (row << 2), valueAt<W>(group, row, column));
      panel += 32;
    }
  } else if (isPaired<W>()) unpackPairs<W>(panel, group + groupHead<W>() + (<usize>first << 5), end - first);
  else {
    let head = group + groupHead<W>() + <usize>supers<W>(first) * superBytes<W>();
    for (let s = supers<W>(first); s < supers<W>(end); s++) {
      for (let sub: usize = 0; sub < subs<W>(); sub++) {
        unpackHalf<W>(panel, group, head, sub, 0);
        unpackHalf<W>(panel + 16, group, head, sub, 1);
        panel += BLOCK << 5;
      }
      head += superBytes<W>();
    }
  }
}

/** Rows 4 * half.. of one block. */
// @ts-ignore: decorator
@inline function unpackHalf<W>(panel: usize, group: usize, head: usize, sub: usize, half: i32): void {
  const codes = head + headerBytes<W>() + sub * codeBytes<W>();
  const small = smallScales<W>(head, sub), minimum = minima<W>(head, small, half);
  const d = hasIntegers<W>() ? f32x4.mul(scales<W>(head, small, half, wideness(group)), powers(group, half)) : scales<W>(head, small, half, 0);
  const lowScale = hasSixteenths<W>() ? f32x4.mul(d, f32x4.convert_i32x4_s(sixteenths(small, 0, half))) : d;
  const highScale = hasSixteenths<W>() ? f32x4.mul(d, f32x4.convert_i32x4_s(sixteenths(small, 1, half))) : d;
  const at = codes + (<usize>half << 4), a = maskOf<W>(0), b = maskOf<W>(1), c = maskOf<W>(2);
  unpackChunk<W>(panel, chunkCodes<W>(at, 0, a, b, c), lowScale, minimum);
  unpackChunk<W>(panel + 128, chunkCodes<W>(at, 1, a, b, c), lowScale, minimum);
  unpackChunk<W>(panel + 256, chunkCodes<W>(at, 2, a, b, c), lowScale, minimum);
  unpackChunk<W>(panel + 384, chunkCodes<W>(at, 3, a, b, c), lowScale, minimum);
  unpackChunk<W>(panel + 512, chunkCodes<W>(at, 4, a, b, c), highScale, minimum);
  unpackChunk<W>(panel + 640, chunkCodes<W>(at, 5, a, b, c), highScale, minimum);
  unpackChunk<W>(panel + 768, chunkCodes<W>(at, 6, a, b, c), highScale, minimum);
  unpackChunk<W>(panel + 896, chunkCodes<W>(at, 7, a, b, c), highScale, minimum);
}

/** Four columns of four rows. */
// @ts-ignore: decorator
@inline function unpackChunk<W>(panel: usize, codes: v128, scale: v128, minimum: v128): void {
  const mask = i32x4.splat(255);
  v128.store(panel, dequantised<W>(v128.and(codes, mask), scale, minimum));
  v128.store(panel, dequantised<W>(v128.and(i32x4.shr_u(codes, 8), mask), scale, minimum), 32);
  v128.store(panel, dequantised<W>(v128.and(i32x4.shr_u(codes, 16), mask), scale, minimum), 64);
  v128.store(panel, dequantised<W>(i32x4.shr_u(codes, 24), scale, minimum), 96);
}

// @ts-ignore: decorator
@inline function dequantised<W>(code: v128, scale: v128, minimum: v128): v128 {
  if (hasMinimum<W>()) return f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(code), scale), minimum);
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.sub(code, i32x4.splat(offset<W>()))), scale);
}
