/**
 * Some columns of a packed group of 8 rows unpacked to what the int8 GEMM tiles read: a panel, unpacked once and used for
 * every token. Per block f32 scale[8], f32 minimum[8] (types with one), factors of sums in parts (dot.ts: two for each
 * row, as `scaled` wants them), then the steps, 32 bytes each, rows 0..3 and 4..7.
 * q4_K and q5_K: the blocks' scales as factors (for Narrow as `scaled` wants them, else f32), then, in a superblock's blocks 0 to 3, the
 * minima of two blocks each as pairs of i16, in block 4 f32 d[8] and in block 5 f32 -dmin[8].
 * Bytes: 8 steps, each a chunk of unsigned codes (4 columns x 8 rows).
 * Where sums are multiplied by integer scales (dot.ts), their factors stand in place of the scales.
 * Words: 16 steps, each an i16 pair of columns, even bytes of a chunk, then odd; the offset is taken off, integer scales
 * of K-quants are multiplied in (at most 13 bits), so few tiles serve every type.
 */
import { chunkCodes, maskOf } from '../weights/codes';
import { integerScales, wideness } from '../weights/integers';
import { BLOCK_MINIMA, blockScales, minima, scales, sixteenths, smallScales } from '../weights/scales';
import { codeBytes, groupHead, hasIntegers, hasMinimum, hasSixteenths, hasSums, headerBytes, is, isK, offset, subs, superBytes, supers } from '../weights/types';
import { Narrow, Signed, Words, inIntegers, inParts } from './dot';

export const PANEL_HEADER: usize = 64;

// @ts-ignore: decorator
@inline export function panelSteps<D>(): i32 { return is<D, Words>() ? 16 : 8; }

// @ts-ignore: decorator
@inline export function panelCodes<W, D>(): usize { return PANEL_HEADER + (inParts<W, D>() ? 64 : 0); }

// @ts-ignore: decorator
@inline export function panelBlock<W, D>(): usize { return panelCodes<W, D>() + (<usize>panelSteps<D>() << 5); }

/** Unpacks `columns` columns (whole superblocks) from `first` on to the integer panel that suits the dot D. */
export function unpackCodes<W, D>(panel: usize, group: usize, first: i32, columns: i32): void {
  const wide = hasIntegers<W>() ? wideness(group) : 0;
  let head = group + groupHead<W>() + <usize>supers<W>(first) * superBytes<W>();
  for (let s = 0; s < supers<W>(columns); s++) {
    for (let sub: usize = 0; sub < subs<W>(); sub++) {
      unpackCodesHalf<W, D>(panel, head, sub, 0, wide);
      unpackCodesHalf<W, D>(panel, head, sub, 1, wide);
      panel += panelBlock<W, D>();
    }
    head += superBytes<W>();
  }
}

// @ts-ignore: decorator
@inline function unpackCodesHalf<W, D>(panel: usize, head: usize, sub: usize, half: i32, wide: i32): void {
  const shift = <usize>half << 4, codes = head + headerBytes<W>() + sub * codeBytes<W>();
  const small = hasSums<W>() ? blockScales(head, sub, half) : smallScales<W>(head, sub);
  const lowScale = hasSixteenths<W>() ? sixteenths(small, 0, half) : small;
  const highScale = hasSixteenths<W>() ? sixteenths(small, 1, half) : small;
  if (hasSums<W>()) storeSuper<D>(panel + shift, head, sub, half, small);
  else {
    v128.store(panel + shift, inIntegers<W, D>() && !wide ? integerScales(v128.load(head), half) : scales<W>(head, small, half, wide));
    if (hasMinimum<W>()) v128.store(panel + shift, minima<W>(head, small, half), 32);
  }
  if (inParts<W, D>()) {
    v128.store(panel + shift, factors<D>(lowScale), PANEL_HEADER);
    v128.store(panel + shift, factors<D>(highScale), PANEL_HEADER + 32);
  }
  const at = codes + shift, a = maskOf<W>(0), b = maskOf<W>(1), c = maskOf<W>(2);
  const to = panel + shift + panelCodes<W, D>(), chunk: usize = is<D, Words>() ? 64 : 32;
  storeSteps<W, D>(to, chunkCodes<W>(at, 0, a, b, c), lowScale);
  storeSteps<W, D>(to + chunk, chunkCodes<W>(at, 1, a, b, c), lowScale);
  storeSteps<W, D>(to + 2 * chunk, chunkCodes<W>(at, 2, a, b, c), lowScale);
  storeSteps<W, D>(to + 3 * chunk, chunkCodes<W>(at, 3, a, b, c), lowScale);
  storeSteps<W, D>(to + 4 * chunk, chunkCodes<W>(at, 4, a, b, c), highScale);
  storeSteps<W, D>(to + 5 * chunk, chunkCodes<W>(at, 5, a, b, c), highScale);
  storeSteps<W, D>(to + 6 * chunk, chunkCodes<W>(at, 6, a, b, c), highScale);
  storeSteps<W, D>(to + 7 * chunk, chunkCodes<W>(at, 7, a, b, c), highScale);
}

/** q4_K, q5_K: the factors of block `sub`, and its share of what a superblock's end needs. */
// @ts-ignore: decorator
@inline function storeSuper<D>(to: usize, head: usize, sub: usize, half: i32, scale: v128): void {
  if (!is<D, Words>()) v128.store(to, is<D, Narrow>() ? twice(scale) : f32x4.convert_i32x4_s(scale));
  if (sub < 4) v128.store(to, v128.load8x8_u(head + (sub << 4) + (<usize>half << 3), BLOCK_MINIMA), 32);
  else if (sub < 6) v128.store(to, v128.load(head + (sub - 4 << 5) + (<usize>half << 4)), 32);
}

/** i32 factors as `scaled` wants them. */
// @ts-ignore: decorator
@inline function factors<D>(factor: v128): v128 { return is<D, Narrow>() ? twice(factor) : factor; }

/** The low half of each i32 in both its halves. */
// @ts-ignore: decorator
@inline function twice(factor: v128): v128 { return v128.or(v128.and(factor, i32x4.splat(0xFFFF)), i32x4.shl(factor, 16)); }

/** One chunk: one step of bytes, or two of i16. */
// @ts-ignore: decorator
@inline function storeSteps<W, D>(to: usize, codes: v128, sixteenth: v128): void {
  if (is<D, Words>()) {
    v128.store(to, signed<W>(v128.and(codes, i16x8.splat(255)), sixteenth));
    v128.store(to, signed<W>(i16x8.shr_u(codes, 8), sixteenth), 32);
  } else v128.store(to, is<D, Signed>() ? v128.xor(codes, i8x16.splat(-128)) : codes);
}

// @ts-ignore: decorator
@inline function signed<W>(codes: v128, sixteenth: v128): v128 {
  const value = offset<W>() ? i16x8.sub(codes, i16x8.splat(<i16>offset<W>())) : codes;
  return isK<W>() ? i16x8.mul(value, twice(sixteenth)) : value;
}
