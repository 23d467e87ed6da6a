/**
 * The scales of types that have nothing else (INTEGERS in types.ts) in the file's 16 bits, without the work that f16 takes for each token: i16, times a power of two for each
 * row. f16 has 11 significant bits, so the scales of a row are such integers, exactly, while the largest is less than 16 times the smallest.
 *
 * Head of a group: u8 exponent[8] of the rows' powers, biased as f32's own, then u32 wideness. A group is wide (1) if some row's scales
 * are no such integers, or -0, and then keeps f16 scales, with powers of 1; so it does with infinite scales or NaN (2), whose conversion takes more.
 */
import { SIMD } from '../lanes';
import { REBIAS, halfToFloat, shortMask } from './half';
import { GROUP, groupHead, superBytes, supers } from './types';

/** Where the wideness lies. */
const WIDE: usize = 8;
const NEGATIVE_ZERO: u32 = 0x8000;
/** The first f16 exponent, biased, without numbers. */
const INFINITE: i32 = 31;
/** A row's power is 2^(e - 29), where e is the largest f16 exponent: its scale has 15 bits then. */
const POWER: i32 = 29;

// @ts-ignore: decorator
@inline export function wideness(group: usize): i32 { return load<i32>(group, WIDE); }
const NARROW: i32 = 0, FINITE: i32 = 1;
export const NOT_FINITE: i32 = 2;

// @ts-ignore: decorator
@inline export function powerAt(group: usize, row: usize): f32 { return reinterpret<f32>(<u32>load<u8>(group + row) << 23); }

/** Powers of rows 4 * half... */
// @ts-ignore: decorator
@inline export function powers(group: usize, half: i32): v128 {
  const exponents = v128.load8x8_u(group);
  return i32x4.shl(half ? i32x4.extend_high_i16x8_u(exponents) : i32x4.extend_low_i16x8_u(exponents), 23);
}

/** Four of eight integer scales as pairs, for dot_i16x8_s. */
// @ts-ignore: decorator
@inline export function integerScales(scales: v128, half: i32): v128 {
  return half ? v128.shuffle<i16>(scales, scales, 4, 12, 5, 13, 6, 14, 7, 15) : v128.shuffle<i16>(scales, scales, 0, 8, 1, 9, 2, 10, 3, 11);
}

/** Turns the f16 scales at the heads of a packed group's superblocks to integers, if all of them can be. */
export function toIntegers<W>(group: usize, k: i32): void {
  const first = group + groupHead<W>(), end = first + <usize>supers<W>(k) * superBytes<W>();
  const wide = SIMD ? narrowRows<W>(group, first, end) : narrowRowsByValue<W>(group, first, end);
  store<u64>(group, wide, WIDE);
  if (wide) store<u64>(group, 0x7F7F7F7F7F7F7F7F);
}

/** Returns the wideness. */
function narrowRows<W>(group: usize, first: usize, end: usize): i32 {
  let most = i16x8.splat(0), bad = most;
  for (let head = first; head < end; head += superBytes<W>()) most = i16x8.max_s(most, v128.and(v128.load(head), i16x8.splat(0x7FFF)));
  const exponents = i16x8.max_s(i16x8.shr_u(most, 10), i16x8.splat(1));
  if (v128.any_true(i16x8.eq(exponents, i16x8.splat(<i16>INFINITE)))) return NOT_FINITE;
  const factor0 = factors(i32x4.extend_low_i16x8_s(exponents)), factor1 = factors(i32x4.extend_high_i16x8_s(exponents));
  for (let head = first; head < end; head += superBytes<W>()) {
    const bits = v128.load(head), value0 = f32x4.mul(floats(bits, 0), factor0), value1 = f32x4.mul(floats(bits, 1), factor1);
    bad = v128.or(v128.or(bad, i16x8.eq(bits, i16x8.splat(<i16>NEGATIVE_ZERO))), v128.or(f32x4.ne(f32x4.trunc(value0), value0), f32x4.ne(f32x4.trunc(value1), value1)));
  }
  if (v128.any_true(bad)) return FINITE;
  for (let head = first; head < end; head += superBytes<W>()) {
    const bits = v128.load(head), value0 = f32x4.mul(floats(bits, 0), factor0), value1 = f32x4.mul(floats(bits, 1), factor1);
    v128.store(head, i16x8.narrow_i32x4_s(i32x4.trunc_sat_f32x4_s(value0), i32x4.trunc_sat_f32x4_s(value1)));
  }
  v128.store64_lane(group, i8x16.narrow_i16x8_u(i16x8.add(exponents, i16x8.splat(<i16>(127 - POWER))), exponents), 0);
  return NARROW;
}

/** Four of eight f16 as f32x4; infinities and NaN to large numbers. */
// @ts-ignore: decorator
@inline export function floats(bits: v128, half: i32): v128 {
  const words = half ? i32x4.extend_high_i16x8_s(bits) : i32x4.extend_low_i16x8_s(bits);
  return f32x4.mul(v128.and(i32x4.shl(words, 13), shortMask()), v128.load32_splat(REBIASES));
}
const REBIASES: usize = memory.data<f32>([REBIAS]);

/** What makes integers of a row's scales: one over its power. */
// @ts-ignore: decorator
@inline function factors(exponents: v128): v128 { return i32x4.shl(i32x4.sub(i32x4.splat(127 + POWER), exponents), 23); }

function narrowRowsByValue<W>(group: usize, first: usize, end: usize): i32 {
  let wide = NARROW;
  for (let row: usize = 0; row < <usize>GROUP; row++) {
    const exponent = exponentOf<W>(first + (row << 1), end), factor = reinterpret<f32>(127 + POWER - exponent << 23);
    store<u8>(group + row, 127 - POWER + exponent);
    if (exponent == INFINITE) return NOT_FINITE;
    for (let head = first + (row << 1); head < end; head += superBytes<W>()) {
      const bits: u32 = load<u16>(head), value = halfToFloat(bits) * factor;
      if (bits == NEGATIVE_ZERO || trunc(value) != value) wide = FINITE;
    }
  }
  if (wide) return wide;
  for (let row: usize = 0; row < <usize>GROUP; row++) {
    const factor = <f32>1 / powerAt(group, row);
    for (let head = first + (row << 1); head < end; head += superBytes<W>()) store<i16>(head, <i16>(halfToFloat(load<u16>(head)) * factor));
  }
  return NARROW;
}

/** The largest exponent of a row's scales, at least 1. */
function exponentOf<W>(head: usize, end: usize): i32 {
  let most = 0;
  for (; head < end; head += superBytes<W>()) most = max(most, <i32>load<u16>(head) & 0x7FFF);
  return max(most >> 10, 1);
}
