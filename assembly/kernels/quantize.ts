import { RELAXED, SIMD } from '../lanes';
import { BLOCK } from '../weights/types';
import { NARROW, probe } from './dot';

/**
 * Activations quantised to int8, block of 32 columns: f32 d, f32 d x sum, two pairs of i16, then the codes. A pair holds
 * minus the sum of the columns 0, 1 of each chunk of 4 and minus that of 2, 3: the first pair's over all columns,
 * the second's over 16..31. Plain simd wants the codes as i16, each chunk as (0, 2, 1, 3): the even and the odd bytes of a
 * weight vector. On machines that add in pairs (dot.ts), after all blocks of a row come two more forms for q8_0 weights:
 * the split codes, for each block i8 high[32], low[32] with code = 16 high + low, then the words, as plain simd has them.
 *
 * Rule: a = max |x|, d = a / 127, code = nearest-even(x * (127 / a)). A block with a < 2^-100 is all zeros (127 / a
 * could overflow); one with an infinite or NaN value has d = NaN and zero codes, so that its outputs are NaN.
 */
const WIDE: bool = SIMD && !RELAXED;
export const Q8_CODES: usize = 16;
export const Q8_BLOCK: usize = Q8_CODES + (WIDE ? 64 : 32);
export const Q8_SPLIT: usize = RELAXED ? 64 : 0;
export const Q8_WORDS: usize = RELAXED ? 64 : 0;
const SMALLEST: f32 = 7.888609052210118e-31; // 2^-100
const INFINITE: i32 = 0x7F800000;
const MAGNITUDE: i32 = 0x7FFFFFFF;

/** Bytes between rows of quantised activations with k columns (a multiple of 32). */
export function q8_row_bytes(k: i32): usize { return <usize>(k / BLOCK) * (Q8_BLOCK + Q8_SPLIT + Q8_WORDS); }

/** Where the split codes of a row begin, and its words. */
// @ts-ignore: decorator
@inline export function q8_split(row: usize, k: i32): usize { return row + <usize>(k / BLOCK) * Q8_BLOCK; }
// @ts-ignore: decorator
@inline export function q8_words(row: usize, k: i32): usize { return row + <usize>(k / BLOCK) * (Q8_BLOCK + Q8_SPLIT); }

/** Quantises rows first..end of x (f32, xStride elements apart, k columns) into xq (q8_row_bytes(k) apart). */
export function quantize_q8(xq: usize, x: usize, k: i32, xStride: i32, first: i32, end: i32): void {
  const apart = RELAXED ? probe(k) == NARROW : false;
  for (let row = first; row < end; row++) {
    let from = x + (<usize>row * <usize>xStride << 2), to = xq + <usize>row * q8_row_bytes(k), split = q8_split(to, k), words = q8_words(to, k);
    for (let column = 0; column < k; column += BLOCK) {
      if (SIMD) quantizeBlock(to, from, WIDE ? to + Q8_CODES : apart ? words : 0);
      else quantizeBlockByValue(to, from);
      if (apart) splitCodes(split, words);
      from += BLOCK << 2;
      to += Q8_BLOCK;
      split += Q8_SPLIT;
      words += Q8_WORDS;
    }
  }
}

/** What multiplies x, and d stored; 0 for blocks without codes. `peak`: the bits of max |x|. */
// @ts-ignore: decorator
@inline export function storeScale(to: usize, peak: i32): f32 {
  const largest = reinterpret<f32>(peak), usable = peak < INFINITE && largest >= SMALLEST;
  store<f32>(to, peak >= INFINITE ? NaN : usable ? largest / 127 : 0);
  return usable ? 127 / largest : 0;
}

// @ts-ignore: decorator
@inline function storeSums(to: usize, first: i32, second: i32, third: i32, fourth: i32): void {
  store<f32>(to, load<f32>(to) * <f32>(first + second + third + fourth), 4);
  store<i16>(to, -(first + third), 8);
  store<i16>(to, -(second + fourth), 10);
  store<i16>(to, -third, 12);
  store<i16>(to, -fourth, 14);
}

function quantizeBlockByValue(to: usize, from: usize): void {
  let peak = 0, first = 0, second = 0, third = 0, fourth = 0;
  for (let i: usize = 0; i < <usize>BLOCK; i++) peak = max(peak, load<i32>(from + (i << 2)) & MAGNITUDE);
  const inverse = storeScale(to, peak);
  for (let i: usize = 0; i < <usize>BLOCK; i++) {
    const code = peak < INFINITE ? <i32>nearest<f32>(load<f32>(from + (i << 2)) * inverse) : 0;
    if (i & 2) {
      if (i < 16) second += code;
      else fourth += code;
    } else if (i < 16) first += code;
    else third += code;
    store<i8>(to + i, code, Q8_CODES);
  }
  storeSums(to, first, second, third, fourth);
}

// @ts-ignore: decorator
@inline function magnitudes(from: usize, mask: v128): v128 { return v128.and(v128.load(from), mask); }

// @ts-ignore: decorator
@inline function lanes(a: v128, b: v128): v128 { return i32x4.max_s(a, b); }

// @ts-ignore: decorator
@inline export function largestLane(a: v128): i32 {
  a = lanes(a, v128.shuffle<i32>(a, a, 2, 3, 0, 1));
  return max(i32x4.extract_lane(a, 0), i32x4.extract_lane(a, 1));
}

/** Four codes; `trunc_sat` makes NaN (x infinite, inverse 0) zero. */
// @ts-ignore: decorator
@inline export function codes(from: usize, inverse: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(from), inverse)));
}

/** `words`: where the codes go as i16, or 0. */
function quantizeBlock(to: usize, from: usize, words: usize): void {
  const mask = i32x4.splat(MAGNITUDE);
  const inverse = f32x4.splat(storeScale(to, largestLane(lanes(
    lanes(lanes(magnitudes(from, mask), magnitudes(from + 16, mask)), lanes(magnitudes(from + 32, mask), magnitudes(from + 48, mask))),
    lanes(lanes(magnitudes(from + 64, mask), magnitudes(from + 80, mask)), lanes(magnitudes(from + 96, mask), magnitudes(from + 112, mask)))))));
  const first = quantizeHalf(to + Q8_CODES, from, inverse, words), second = quantizeHalf(to + Q8_CODES + 16, from + 64, inverse, words ? words + 32 : 0);
  storeSums(to, i32x4.extract_lane(first, 0), i32x4.extract_lane(first, 1), i32x4.extract_lane(second, 0), i32x4.extract_lane(second, 1));
}

/** 16 columns; lanes 0 and 1: the sums of the first and the second two of each chunk of 4. */
// @ts-ignore: decorator
@inline function quantizeHalf(to: usize, from: usize, inverse: v128, words: usize): v128 {
  const a = codes(from, inverse), b = codes(from + 16, inverse), c = codes(from + 32, inverse), d = codes(from + 48, inverse);
  const first = i16x8.narrow_i32x4_s(a, b), second = i16x8.narrow_i32x4_s(c, d);
  if (!WIDE) v128.store(to, i8x16.narrow_i16x8_s(first, second));
  if (WIDE || words) {
    v128.store(words, v128.shuffle<i16>(first, first, 0, 2, 1, 3, 4, 6, 5, 7));
    v128.store(words, v128.shuffle<i16>(second, second, 0, 2, 1, 3, 4, 6, 5, 7), 16);
  }
  const sums = i32x4.extadd_pairwise_i16x8_s(i16x8.add(first, second));
  return i32x4.add(sums, v128.shuffle<i32>(sums, sums, 2, 3, 0, 1));
}

/** 32 codes of [-127, 127], as words in their order there, to high = (code + 8) >> 4 and low = code - 16 high, in order. */
function splitCodes(to: usize, words: usize): void {
  const eight = i16x8.splat(8);
  for (let half: usize = 0; half < 32; half += 16) {
    const a = v128.load(words + 2 * half), b = v128.load(words + 2 * half, 16);
    const high0 = i16x8.shr_s(i16x8.add(a, eight), 4), high1 = i16x8.shr_s(i16x8.add(b, eight), 4);
    const high = i8x16.narrow_i16x8_s(high0, high1), low = i8x16.narrow_i16x8_s(i16x8.sub(a, i16x8.shl(high0, 4)), i16x8.sub(b, i16x8.shl(high1, 4)));
    v128.store(to + half, inOrder(high));
    v128.store(to + half, inOrder(low), 32);
  }
}

// @ts-ignore: decorator
@inline function inOrder(bytes: v128): v128 { return v128.shuffle<i8>(bytes, bytes, 0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15); }
