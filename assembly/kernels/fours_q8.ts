/**
 * Quantised activations as the GEMM tiles of the int8 path read them: four tokens side by side, so that one address walks them all.
 * Per block of 32 columns four words each (one a token) of d, d x sum, what sums start from (dot.ts) and a second such: where sums come in
 * parts that of the second part, else the first added up to i32. Then the codes, a word of each token a step: steps as in panel_q8.ts.
 */
import { BLOCK, is } from '../weights/types';
import { storeTransposed } from '../weights/transpose';
import { Words, start } from './dot';
import { Q8_BLOCK, Q8_CODES, Q8_WORDS, q8_row_bytes, q8_words } from './quantize';

export const FOUR_SUMS: usize = 16;
export const FOUR_START: usize = 32;
export const FOUR_SECOND: usize = 48;
export const FOUR_CODES: usize = 64;

/** Bytes of a block of four tokens. */
// @ts-ignore: decorator
@inline export function fourBlock<D>(): usize { return FOUR_CODES + (is<D, Words>() ? 256 : 128); }

/** Lays `columns` columns, from `first` on, of `tokens` tokens (a multiple of 4) out at `to`, for weights of this bias. */
export function layFours<D>(to: usize, xq: usize, tokens: i32, k: i32, first: i32, columns: i32, bias: i32, parts: bool): void {
  const step = is<D, Words>() ? Q8_WORDS : Q8_BLOCK, rowBytes = q8_row_bytes(k);
  let row = (is<D, Words>() ? q8_words(xq, k) : xq) + <usize>(first / BLOCK) * step;
  for (; tokens > 0; tokens -= 4, row += rowBytes << 2) {
    let from = row;
    for (let block = columns / BLOCK; block > 0; block--, from += step, to += fourBlock<D>()) {
      turn(to, from, rowBytes);
      if (!is<D, Words>()) layStarts<D>(to, i16x8.splat(<i16>bias), parts);
      for (let at: usize = 0; at < fourBlock<D>() - FOUR_CODES; at += 64) turn(to + FOUR_CODES + at, from + Q8_CODES + (at >> 2), rowBytes);
    }
  }
}

/** In place of the two pairs of quantize.ts. */
// @ts-ignore: decorator
@inline function layStarts<D>(to: usize, bias: v128, parts: bool): void {
  const pairs = v128.load(to, FOUR_START), upper = v128.load(to, FOUR_SECOND);
  v128.store(to, start<D>(parts ? i16x8.sub(pairs, upper) : pairs, bias), FOUR_START);
  v128.store(to, parts ? start<D>(upper, bias) : i32x4.dot_i16x8_s(pairs, bias), FOUR_SECOND);
}

/** Four words of each of four rows. */
// @ts-ignore: decorator
@inline function turn(to: usize, from: usize, rowBytes: usize): void {
  const second = from + rowBytes, third = second + rowBytes;
  storeTransposed(to, 16, v128.load(from), v128.load(second), v128.load(third), v128.load(third + rowBytes));
}
