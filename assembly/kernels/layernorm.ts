import { SIMD } from '../lanes';
import { sum, sumSquares } from '../math';
import { add, get, mul, put, splat, sub } from '../vector';

/**
 * y[i] = (x[i] - mean) / sqrt(variance + eps) * w[i] + b[i] for rows first … end of n elements; b = 0 means no bias.
 * Two passes, mean and then variance around it, sums in the order of math.ts. y may be x.
 */
export function layernorm_f32(y: usize, x: usize, w: usize, b: usize, n: i32, yStride: i32, xStride: i32, eps: f32, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    normalise(y + ((row * <usize>yStride) << 2), x + ((row * <usize>xStride) << 2), w, b, n, eps);
  }
}

function normalise(y: usize, x: usize, w: usize, b: usize, n: i32, eps: f32): void {
  const mean: f32 = sum(x, n) / <f32>n;
  const scale: f32 = <f32>1 / NativeMathf.sqrt(sumSquares(x, n, mean) / <f32>n + eps);
  for (let i = 0; i < n; ) {
    const at = <usize>i << 2;
    if (SIMD && i + 4 <= n) {
      shifted<v128>(y + at, x + at, w + at, b ? b + at : 0, splat<v128>(mean), splat<v128>(scale));
      i += 4;
    } else {
      shifted<f32>(y + at, x + at, w + at, b ? b + at : 0, mean, scale);
      i += 1;
    }
  }
}

// @ts-ignore: decorator
@inline
function shifted<T>(y: usize, x: usize, w: usize, b: usize, mean: T, scale: T): void {
  const value = mul<T>(mul<T>(sub<T>(get<T>(x), mean), scale), get<T>(w));
  put<T>(y, b ? add<T>(value, get<T>(b)) : value);
}
