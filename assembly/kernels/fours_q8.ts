/**
 * Quantised activations as the GEMM tiles of the int8 path read them: four tokens side by side, so that one address walks them all.
 * Per block of 32 columns four words each (one a token) of d, d x sum, what sums start from (dot.ts) and a second such: where sums come in
 * parts that of the second part, else the first added up to i32. Then the codes, a word of each token a step: steps as in panel_q8.ts.
 * For q4_K and q5_K the 16-bit sums take the place of d x sum: in a superblock's blocks 0 to 3 those of two blocks each, in block 4 their scale.
 */
import { BLOCK, is } from '../weights/types';
import { storeTransposed } from '../weights/transpose';
import { Words, start } from './dot';
import { Q8_BLOCK, Q8_CODES, Q8_SUMS, Q8_WORDS, SUPER, q8_row_bytes, q8_sums, q8_words } from './quantize';

export const FOUR_SUMS: usize = 16;
export const FOUR_START: usize = 32;
export const FOUR_SECOND: usize = 48;
export const FOUR_CODES: usize = 64;

/** Bytes of a block of four tokens. */
// @ts-ignore: decorator
@inline export function fourBlock<D>(): usize { return FOUR_CODES + (is<D, Words>() ? 256 : 128); }

/** Lays `columns` columns, from `first` on, of `tokens` tokens out at `to`, for weights of this bias; the last four may repeat a token. */
export function layFours<D>(to: usize, xq: usize, tokens: i32, k: i32, first: i32, columns: i32, bias: i32, parts: bool, sums: bool): void {
  const step = is<D, Words>() ? Q8_WORDS : Q8_BLOCK, rowBytes = q8_row_bytes(k);
  let sumsRow = q8_sums(xq, k) + <usize>(first / SUPER) * Q8_SUMS, row = (is<D, Words>() ? q8_words(xq, k) : xq) + <usize>(first / BLOCK) * step;
  for (; tokens > 0; tokens -= 4, row += rowBytes << 2, sumsRow += rowBytes << 2) {
    const fourth = tokens == 3 ? rowBytes << 1 : 3 * rowBytes;
    let from = row;
    const four = to;
    for (let block = columns / BLOCK; block > 0; block--, from += step, to += fourBlock<D>()) {
      turn(to, 16, from, rowBytes, fourth);
      if (!is<D, Words>()) layStarts<D>(to, i16x8.splat(<i16>bias), parts);
      for (let at: usize = 0; at < fourBlock<D>() - FOUR_CODES; at += 64) turn(to + FOUR_CODES + at, 16, from + Q8_CODES + (at >> 2), rowBytes, fourth);
    }
    if (sums) laySums<D>(four, sumsRow, rowBytes, fourth, columns);
  }
}

/** In place of the two pairs of quantize.ts. */
// @ts-ignore: decorator
@inline function layStarts<D>(to: usize, bias: v128, parts: bool): void {
  const pairs = v128.load(to, FOUR_START), upper = v128.load(to, FOUR_SECOND);
  v128.store(to, start<D>(parts ? i16x8.sub(pairs, upper) : pairs, bias), FOUR_START);
  v128.store(to, parts ? start<D>(upper, bias) : i32x4.dot_i16x8_s(pairs, bias), FOUR_SECOND);
}

// @ts-ignore: decorator
@inline function laySums<D>(to: usize, from: usize, rowBytes: usize, fourth: usize, columns: i32): void {
  for (let s = columns / SUPER; s > 0; s--, to += 8 * fourBlock<D>(), from += Q8_SUMS) {
    turn(to + FOUR_SUMS, fourBlock<D>(), from, rowBytes, fourth);
    turn(to + 4 * fourBlock<D>() + FOUR_SUMS, fourBlock<D>(), from + 16, rowBytes, fourth);
  }
}

/** Four words of each of four rows, the last of them `fourth` bytes on, to places `apart` bytes apart. */
// @ts-ignore: decorator
@inline function turn(to: usize, apart: usize, from: usize, rowBytes: usize, fourth: usize): void {
  const second = from + rowBytes;
  storeTransposed(to, apart, v128.load(from), v128.load(second), v128.load(second + rowBytes), v128.load(from + fourth));
}
