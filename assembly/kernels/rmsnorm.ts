import { SIMD } from '../lanes';
import { sumSquares } from '../math';
import { get, mul, put, splat } from '../vector';

/**
 * Rows first … end hold `groups` vectors of n elements each; every vector is divided by the root of its mean square:
 * y[i] = x[i] / sqrt(sum of squares / n + eps) * w[i], the sum in the order of math.ts. y may be x.
 */
export function rmsnorm_f32(y: usize, x: usize, w: usize, n: i32, groups: i32, yStride: i32, xStride: i32, eps: f32, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    for (let group = 0; group < groups; ++group) {
      const offset = <usize>group * <usize>n;
      normalise(y + ((row * <usize>yStride + offset) << 2), x + ((row * <usize>xStride + offset) << 2), w, n, eps);
    }
  }
}

function normalise(y: usize, x: usize, w: usize, n: i32, eps: f32): void {
  const scale: f32 = <f32>1 / NativeMathf.sqrt(sumSquares(x, n, 0) / <f32>n + eps);
  let i = 0;
  if (SIMD) {
    for (; i + 4 <= n; i += 4, x += 16, y += 16, w += 16) scaled<v128>(y, x, w, splat<v128>(scale));
  }
  for (; i < n; ++i, x += 4, y += 4, w += 4) scaled<f32>(y, x, w, scale);
}

// @ts-ignore: decorator
@inline
function scaled<T>(y: usize, x: usize, w: usize, scale: T): void {
  put<T>(y, mul<T>(mul<T>(get<T>(x), scale), get<T>(w)));
}
