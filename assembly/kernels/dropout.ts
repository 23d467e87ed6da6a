import { SIMD } from '../lanes';
import { get, mul, put, splat, whereLess } from '../vector';

/**
 * y = x / (1 - rate) or 0, the latter with probability `rate` (below 1), for rows first … end; y may be x. Which elements are
 * dropped depends on `seed` and the element's number, row * columns + column, alone: the gradient is the same call on dy.
 */
export function dropout_f32(y: usize, x: usize, columns: i32, yStride: i32, xStride: i32, seed: u32, rate: f32, first: i32, end: i32): void {
  const scale: f32 = 1 / (1 - rate), key = mix<u32>(seed), second = mix<u32>(key + GOLDEN);
  for (let row = <usize>first; row < <usize>end; ++row) {
    const to = y + ((row * <usize>yStride) << 2), from = x + ((row * <usize>xStride) << 2), number = <u32>row * <u32>columns + key;
    let i = 0;
    if (SIMD) {
      const others = i32x4.splat(second), rates = splat<v128>(rate), scales = splat<v128>(scale);
      for (; i + 4 <= columns; i += 4) {
        const at = <usize>i << 2, numbers = i32x4.add(i32x4.splat(number + i), i32x4(0, 1, 2, 3));
        put<v128>(to + at, kept<v128, v128>(get<v128>(from + at), numbers, others, rates, scales));
      }
    }
    for (; i < columns; ++i) {
      const at = <usize>i << 2;
      put<f32>(to + at, kept<f32, u32>(get<f32>(from + at), number + i, second, rate, scale));
    }
  }
}

/** 2^32 divided by the golden ratio: sets the two keys apart. */
const GOLDEN: u32 = 0x9e3779b9;

/** T: f32 or v128 of them; I: u32 or v128 of them. The hash's upper 24 bits, a number in [0, 1), decide. */
// @ts-ignore: decorator
@inline
function kept<T, I>(x: T, number: I, key: I, rate: T, scale: T): T {
  return whereLess<T>(unit<T, I>(mix<I>(exclusive<I>(mix<I>(number), key))), rate, splat<T>(0), mul<T>(x, scale));
}

/** A bijection of 32 bits that spreads every bit over all (the constants of Chris Wellons' lowbias32). */
// @ts-ignore: decorator
@inline
function mix<I>(x: I): I {
  x = multiply<I>(exclusive<I>(x, right<I>(x, 16)), 0x7feb352d);
  x = multiply<I>(exclusive<I>(x, right<I>(x, 15)), 0x846ca68b);
  return exclusive<I>(x, right<I>(x, 16));
}

// @ts-ignore: decorator
@inline
function exclusive<I>(a: I, b: I): I {
  if (isVector<I>()) return v128.xor(a, b);
  return a ^ b;
}

// @ts-ignore: decorator
@inline
function right<I>(x: I, by: i32): I {
  if (isVector<I>()) return i32x4.shr_u(x, by);
  return x >> by;
}

// @ts-ignore: decorator
@inline
function multiply<I>(x: I, by: u32): I {
  if (isVector<I>()) return i32x4.mul(x, i32x4.splat(by));
  return x * by;
}

// @ts-ignore: decorator
@inline
function unit<T, I>(x: I): T {
  if (isVector<T>()) return f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(x, 8)), f32x4.splat(1.0 / 16777216));
  return <f32>(x >> 8) * <f32>(1.0 / 16777216);
}
