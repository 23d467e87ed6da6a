import { RELAXED, SIMD } from '../lanes';
import { BLOCK } from '../weights/types';

/**
 * Activations quantised to int8, block of 32 columns: f32 d, f32 d x sum, i32 -sum, i32 -(sum of columns 16..31), then the
 * codes. Plain simd wants them as i16, each chunk of 4 as (0, 2, 1, 3): the even and the odd bytes of a weight vector.
 *
 * Rule: a = max |x|, d = a / 127, code = nearest-even(x * (127 / a)). A block with a < 2^-100 is all zeros (127 / a
 * could overflow); one with an infinite or NaN value has d = NaN and zero codes, so that its outputs are NaN.
 */
const WIDE: bool = SIMD && !RELAXED;
export const Q8_CODES: usize = 16;
export const Q8_BLOCK: usize = Q8_CODES + (WIDE ? 64 : 32);
const SMALLEST: f32 = 7.888609052210118e-31; // 2^-100
const INFINITE: i32 = 0x7F800000;
const MAGNITUDE: i32 = 0x7FFFFFFF;

/** Bytes between rows of quantised activations with k columns (a multiple of 32). */
export function q8_row_bytes(k: i32): usize { return <usize>(k / BLOCK) * Q8_BLOCK; }

/** Quantises rows first..end of x (f32, xStride elements apart, k columns) into xq (q8_row_bytes(k) apart). */
export function quantize_q8(xq: usize, x: usize, k: i32, xStride: i32, first: i32, end: i32): void {
  for (let row = first; row < end; row++) {
    let from = x + (<usize>row * <usize>xStride << 2), to = xq + <usize>row * q8_row_bytes(k);
    for (let column = 0; column < k; column += BLOCK) {
      if (SIMD) quantizeBlock(to, from);
      else quantizeBlockByValue(to, from);
      from += BLOCK << 2;
      to += Q8_BLOCK;
    }
  }
}

/** What multiplies x, and d stored; 0 for blocks without codes. `peak`: the bits of max |x|. */
// @ts-ignore: decorator
@inline function storeScale(to: usize, peak: i32): f32 {
  const largest = reinterpret<f32>(peak), usable = peak < INFINITE && largest >= SMALLEST;
  store<f32>(to, peak >= INFINITE ? NaN : usable ? largest / 127 : 0);
  return usable ? 127 / largest : 0;
}

// @ts-ignore: decorator
@inline function storeSums(to: usize, first: i32, second: i32): void {
  store<f32>(to, load<f32>(to) * <f32>(first + second), 4);
  store<i32>(to, -(first + second), 8);
  store<i32>(to, -second, 12);
}

function quantizeBlockByValue(to: usize, from: usize): void {
  let peak = 0, first = 0, second = 0;
  for (let i: usize = 0; i < <usize>BLOCK; i++) peak = max(peak, load<i32>(from + (i << 2)) & MAGNITUDE);
  const inverse = storeScale(to, peak);
  for (let i: usize = 0; i < <usize>BLOCK; i++) {
    const code = peak < INFINITE ? <i32>nearest<f32>(load<f32>(from + (i << 2)) * inverse) : 0;
    if (i < 16) first += code;
    else second += code;
    store<i8>(to + i, code, Q8_CODES);
  }
  storeSums(to, first, second);
}

// @ts-ignore: decorator
@inline function magnitudes(from: usize, mask: v128): v128 { return v128.and(v128.load(from), mask); }

// @ts-ignore: decorator
@inline function lanes(a: v128, b: v128): v128 { return i32x4.max_s(a, b); }

// @ts-ignore: decorator
@inline function largestLane(a: v128): i32 {
  a = lanes(a, v128.shuffle<i32>(a, a, 2, 3, 0, 1));
  return max(i32x4.extract_lane(a, 0), i32x4.extract_lane(a, 1));
}

/** Four codes; `trunc_sat` makes NaN (x infinite, inverse 0) zero. */
// @ts-ignore: decorator
@inline function codes(from: usize, inverse: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(from), inverse)));
}

// @ts-ignore: decorator
@inline function sumLanes(a: v128): i32 {
  a = i32x4.add(a, v128.shuffle<i32>(a, a, 2, 3, 0, 1));
  return i32x4.extract_lane(a, 0) + i32x4.extract_lane(a, 1);
}

function quantizeBlock(to: usize, from: usize): void {
  const mask = i32x4.splat(MAGNITUDE);
  const inverse = f32x4.splat(storeScale(to, largestLane(lanes(
    lanes(lanes(magnitudes(from, mask), magnitudes(from + 16, mask)), lanes(magnitudes(from + 32, mask), magnitudes(from + 48, mask))),
    lanes(lanes(magnitudes(from + 64, mask), magnitudes(from + 80, mask)), lanes(magnitudes(from + 96, mask), magnitudes(from + 112, mask)))))));
  storeSums(to, quantizeHalf(to + Q8_CODES, from, inverse), quantizeHalf(to + Q8_CODES + (WIDE ? 32 : 16), from + 64, inverse));
}

/** 16 columns; returns the sum of their codes. */
// @ts-ignore: decorator
@inline function quantizeHalf(to: usize, from: usize, inverse: v128): i32 {
  const a = codes(from, inverse), b = codes(from + 16, inverse), c = codes(from + 32, inverse), d = codes(from + 48, inverse);
  const first = i16x8.narrow_i32x4_s(a, b), second = i16x8.narrow_i32x4_s(c, d);
  if (WIDE) {
    v128.store(to, v128.shuffle<i16>(first, first, 0, 2, 1, 3, 4, 6, 5, 7));
    v128.store(to, v128.shuffle<i16>(second, second, 0, 2, 1, 3, 4, 6, 5, 7), 16);
  } else v128.store(to, i8x16.narrow_i16x8_s(first, second));
  return sumLanes(i32x4.add(i32x4.add(a, b), i32x4.add(c, d)));
}
