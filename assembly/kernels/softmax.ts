import { SIMD } from '../lanes';
import { exp, largest, storeExp, sum } from '../math';
import { div, get, mul, put, splat, sub } from '../vector';

/**
 * y[i] = exp(scale (x[i] - max)) / sum of the same, for rows first … end of n elements; the sum in the order of math.ts.
 * scale > 0. Elements of -Infinity become 0; a row with NaN or Infinity, or of -Infinity alone, becomes NaN. y may be x.
 */
export function softmax_f32(y: usize, x: usize, n: i32, yStride: i32, xStride: i32, scale: f32, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    softmaxRow(y + ((row * <usize>yStride) << 2), x + ((row * <usize>xStride) << 2), n, scale);
  }
}

/** Probabilities of n logits at a temperature: softmax of x times invTemperature. y may be x. */
export function probabilities_f32(y: usize, x: usize, n: i32, invTemperature: f32): void {
  softmaxRow(y, x, n, invTemperature);
}

function softmaxRow(y: usize, x: usize, n: i32, scale: f32): void {
  exponentials(y, x, n, largest(x, n), scale);
  divide(y, n, sum(y, n));
}

/** y[i] = exp(scale (x[i] - centre)) */
// @ts-ignore: decorator
@inline
export function exponentials(y: usize, x: usize, n: i32, centre: f32, scale: f32): void {
  let i = 0;
  if (SIMD) {
    const middle = splat<v128>(centre), by = splat<v128>(scale);
    for (; i + 16 <= n; i += 16, x += 64, y += 64) storeExp(y, scaled<v128>(x, middle, by), scaled<v128>(x + 16, middle, by), scaled<v128>(x + 32, middle, by), scaled<v128>(x + 48, middle, by));
    for (; i + 4 <= n; i += 4, x += 16, y += 16) put<v128>(y, exp<v128>(scaled<v128>(x, middle, by)));
  }
  for (; i < n; ++i, x += 4, y += 4) put<f32>(y, exp<f32>(scaled<f32>(x, centre, scale)));
}

// @ts-ignore: decorator
@inline
function scaled<T>(x: usize, centre: T, scale: T): T {
  return mul<T>(sub<T>(get<T>(x), centre), scale);
}

// @ts-ignore: decorator
@inline
function divide(y: usize, n: i32, by: f32): void {
  let i = 0;
  if (SIMD) {
    for (; i + 4 <= n; i += 4, y += 16) put<v128>(y, div<v128>(get<v128>(y), splat<v128>(by)));
  }
  for (; i < n; ++i, y += 4) put<f32>(y, get<f32>(y) / by);
}
