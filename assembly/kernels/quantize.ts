import { RELAXED, SIMD } from '../lanes';
import { BLOCK } from '../weights/types';
import { NARROW, probe } from './dot';

/**
 * Activations quantised to int8, block of 32 columns: f32 d, f32 d x sum, two pairs of i16, then the codes. A pair holds
 * minus the sum of the columns 0, 1 of each chunk of 4 and minus that of 2, 3: the first pair's over all columns,
 * the second's over 16..31. Plain simd wants the codes as i16, each chunk as (0, 2, 1, 3): the even and the odd bytes of a
 * weight vector. On machines that add in pairs (dot.ts) q8_0 weights want other forms, after all blocks of a row:
 * blocks with split codes, i8 high[32], low[32] with code = 16 high + low, then the blocks as plain simd has them.
 *
 * Rule: a = max |x|, d = a / 127, code = nearest-even(x * (127 / a)). A block with a < 2^-100 is all zeros (127 / a
 * could overflow); one with an infinite or NaN value has d = NaN and zero codes, so that its outputs are NaN.
 *
 * At the end of a row whose columns come in 256s (k % 256 == 0), for each 256 their eight sums again, as the minima of q4_K and q5_K
 * multiply them: i16 S[8], f32 e, 12 bytes of nothing. Rule: a = max |d x sum|, e = a / 32767, S = nearest-even((d x sum) * (32767 / a)),
 * all zeros where a = 0 (no other a is below 2^-107); where a is infinite or NaN, e = NaN and S = 0.
 */
const WIDE: bool = SIMD && !RELAXED;
export const Q8_CODES: usize = 16;
export const Q8_WORDS: usize = Q8_CODES + 64;
export const Q8_BLOCK: usize = WIDE ? Q8_WORDS : Q8_CODES + 32;
export const Q8_SPLIT: usize = RELAXED ? Q8_CODES + 64 : 0;
export const SMALLEST: f32 = 7.888609052210118e-31; // 2^-100
export const INFINITE: i32 = 0x7F800000;
const MAGNITUDE: i32 = 0x7FFFFFFF;
/** 32 zeros, instead of a block that is not finite. */
const ZEROS: usize = memory.data(<i32>BLOCK << 2, 16);

/** Bytes of the sums of 256 columns, and where e lies in them. */
export const Q8_SUMS: usize = 32;
export const Q8_SUMS_SCALE: usize = 16;
/** Columns of a superblock. */
export const SUPER: i32 = 256;
const BLOCKS: usize = <usize>(SUPER / BLOCK);

/** Bytes between rows of quantised activations with k columns (a multiple of 32). */
export function q8_row_bytes(k: i32): usize { return q8_sums(0, k) + (k % SUPER ? 0 : <usize>(k / SUPER) * Q8_SUMS); }

/** Where a row's blocks with split codes begin, and those with words. */
// @ts-ignore: decorator
@inline export function q8_split(row: usize, k: i32): usize { return row + <usize>(k / BLOCK) * Q8_BLOCK; }
// @ts-ignore: decorator
@inline export function q8_words(row: usize, k: i32): usize { return WIDE ? row : row + <usize>(k / BLOCK) * (Q8_BLOCK + Q8_SPLIT); }

/** Where the 16-bit sums of a row begin. */
// @ts-ignore: decorator
@inline export function q8_sums(row: usize, k: i32): usize { return row + <usize>(k / BLOCK) * (Q8_BLOCK + Q8_SPLIT + (RELAXED ? Q8_WORDS : 0)); }

/**
 * Of m tokens those that the tiles of four take (matmul_q8.ts); the others are multiplied one by one. Three that are left over fill a
 * tile with one that nobody asked for: a tile costs less than three tokens.
 */
// @ts-ignore: decorator
@inline export function tiledTokens(m: i32): i32 { return m > 4 && (m & 3) == 3 ? m : m & ~3; }

/**
 * Quantises rows first..end of m rows of x (f32, xStride elements apart, k columns) into xq (q8_row_bytes(k) apart). `forms`: 0 if no
 * weights of q8_0 follow, 1 if they multiply these m rows, 2 if they multiply others (some of them).
 */
export function quantize_q8(xq: usize, x: usize, k: i32, xStride: i32, m: i32, forms: i32, first: i32, end: i32): void {
  const apart = RELAXED && forms ? probe(k) == NARROW : false;
  for (let row = first; row < end; row++) {
    const from = x + (<usize>row * <usize>xStride << 2), to = xq + <usize>row * q8_row_bytes(k);
    quantizeRow(to, from, k, apart && (forms == 2 || row < tiledTokens(m)) ? q8_words(to, k) : 0);
    if (apart && (forms == 2 || row >= tiledTokens(m))) splitRow(to, k);
    if (k % SUPER == 0) sumRow(to, k);
  }
}

/** `words`: where blocks with words go as well, or 0. */
function quantizeRow(to: usize, from: usize, k: i32, words: usize): void {
  for (let column = 0; column < k; column += BLOCK) {
    if (SIMD) quantizeBlock(to, from, WIDE ? to : words);
    else quantizeBlockByValue(to, from);
    from += BLOCK << 2;
    to += Q8_BLOCK;
    if (words) words += Q8_WORDS;
  }
}

/** What multiplies x, and d stored; 0 for blocks without codes. `peak`: the bits of max |x|. */
// @ts-ignore: decorator
@inline export function storeScale(to: usize, peak: i32): f32 {
  const largest = reinterpret<f32>(peak), usable = peak < INFINITE && largest >= SMALLEST;
  store<f32>(to, peak >= INFINITE ? NaN : usable ? largest / 127 : 0);
  return usable ? 127 / largest : 0;
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
  store<f32>(to, load<f32>(to) * <f32>(first + second + third + fourth), 4);
  store<i16>(to, -(first + third), 8);
  store<i16>(to, -(second + fourth), 10);
  store<i16>(to, -third, 12);
  store<i16>(to, -fourth, 14);
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

/** The mask of a magnitude, and 1.5 * 2^23: added, it leaves the nearest integer in the low bits. From memory: see `entry`. */
const NUMBERS: usize = memory.data<u32>([0x7FFFFFFF, 0x4B400000]);
// @ts-ignore: decorator
@inline export function rounder(): v128 { return v128.load32_splat(NUMBERS, 4); }

/** Four codes, of finite values. */
// @ts-ignore: decorator
@inline export function codes(from: usize, inverse: v128, round: v128): v128 {
  return i32x4.sub(f32x4.add(f32x4.mul(v128.load(from), inverse), round), round);
}

/** `words`: where the block with words goes, or 0. */
function quantizeBlock(to: usize, from: usize, words: usize): void {
  const mask = v128.load32_splat(NUMBERS), round = rounder();
  const peak = largestLane(lanes(
    lanes(lanes(magnitudes(from, mask), magnitudes(from + 16, mask)), lanes(magnitudes(from + 32, mask), magnitudes(from + 48, mask))),
    lanes(lanes(magnitudes(from + 64, mask), magnitudes(from + 80, mask)), lanes(magnitudes(from + 96, mask), magnitudes(from + 112, mask)))));
  const inverse = f32x4.splat(storeScale(to, peak));
  if (peak >= INFINITE) from = ZEROS;
  const first = quantizeHalf(to, from, inverse, round, words), second = quantizeHalf(to + 16, from + 64, inverse, round, words ? words + 32 : 0);
  const sums = v128.shuffle<i64>(i32x4.add(first, second), second, 0, 2);
  store<f32>(to, load<f32>(to) * <f32>(i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1)), 4);
  v128.store64_lane(to, i16x8.neg(i16x8.narrow_i32x4_s(sums, sums)), 0, 8);
  if (!WIDE && words) v128.store(words, v128.load(to));
}

/** 16 columns; lanes 0 and 1: the sums of the first and the second two of each chunk of 4. */
// @ts-ignore: decorator
@inline function quantizeHalf(to: usize, from: usize, inverse: v128, round: v128, words: usize): v128 {
  const a = codes(from, inverse, round), b = codes(from + 16, inverse, round), c = codes(from + 32, inverse, round), d = codes(from + 48, inverse, round);
  const first = i16x8.narrow_i32x4_s(a, b), second = i16x8.narrow_i32x4_s(c, d);
  if (!WIDE) v128.store(to, i8x16.narrow_i16x8_s(first, second), Q8_CODES);
  if (WIDE || words) {
    v128.store(words, v128.shuffle<i16>(first, first, 0, 2, 1, 3, 4, 6, 5, 7), Q8_CODES);
    v128.store(words, v128.shuffle<i16>(second, second, 0, 2, 1, 3, 4, 6, 5, 7), Q8_CODES + 16);
  }
  const sums = i32x4.extadd_pairwise_i16x8_s(i16x8.add(first, second));
  return i32x4.add(sums, v128.shuffle<i32>(sums, sums, 2, 3, 0, 1));
}

/** The codes of a row, of [-127, 127], to high = (code + 8) >> 4 and low = code - 16 high. */
function splitRow(row: usize, k: i32): void {
  const eight = i16x8.splat(8);
  let from = row, to = q8_split(row, k);
  for (const end = to; from < end; from += Q8_BLOCK, to += Q8_SPLIT) {
    v128.store(to, v128.load(from));
    for (let half: usize = Q8_CODES; half < Q8_CODES + 32; half += 16) {
      const a = v128.load8x8_s(from + half), b = v128.load8x8_s(from + half, 8);
      const high0 = i16x8.shr_s(i16x8.add(a, eight), 4), high1 = i16x8.shr_s(i16x8.add(b, eight), 4);
      v128.store(to + half, i8x16.narrow_i16x8_s(high0, high1));
      v128.store(to + half, i8x16.narrow_i16x8_s(i16x8.sub(a, i16x8.shl(high0, 4)), i16x8.sub(b, i16x8.shl(high1, 4))), 32);
    }
  }
}

/** The sums of each 256 columns. */
function sumRow(row: usize, k: i32): void {
  let to = q8_sums(row, k);
  for (const end = row + q8_row_bytes(k); to < end; to += Q8_SUMS) {
    let peak = 0;
    for (let i: usize = 0; i < BLOCKS; i++) peak = max(peak, load<i32>(row + i * Q8_BLOCK, 4) & MAGNITUDE);
    const largest = reinterpret<f32>(peak), inverse: f32 = 32767 / largest, usable = peak > 0 && peak < INFINITE;
    for (let i: usize = 0; i < BLOCKS; i++, row += Q8_BLOCK) store<i16>(to + (i << 1), usable ? <i32>nearest<f32>(load<f32>(row, 4) * inverse) : 0);
    store<f32>(to, peak < INFINITE ? largest / 32767 : NaN, Q8_SUMS_SCALE);
  }
}
