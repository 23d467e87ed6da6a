import { SIMD } from '../lanes';
import { sumSquares, sumTriples } from '../math';
import { add, get, mul, put, splat, sub } from '../vector';
import { COLUMN_BLOCK } from './bias';

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
  const scale = inverseRms(x, n, eps);
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

function inverseRms(x: usize, n: i32, eps: f32): f32 {
  return <f32>1 / NativeMathf.sqrt(sumSquares(x, n, 0) / <f32>n + eps);
}

/**
 * Gradient by x, and each vector's inverse root mean square r for rmsnorm_f32_grad_w: inverse[row * groups + group].
 * dx[i] (+)= dy[i] w[i] r - x[i] c, with c = ((r r) r) (sum of dy w x / n), the sum in the order of math.ts. `accumulate` adds.
 */
export function rmsnorm_f32_grad(dx: usize, inverse: usize, dy: usize, x: usize, w: usize, n: i32, groups: i32, dxStride: i32, dyStride: i32, xStride: i32, eps: f32, accumulate: i32, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    for (let group = 0; group < groups; ++group) {
      const offset = <usize>group * <usize>n, from = x + ((row * <usize>xStride + offset) << 2);
      const scale = inverseRms(from, n, eps);
      store<f32>(inverse + ((row * <usize>groups + <usize>group) << 2), scale);
      normaliseGrad(dx + ((row * <usize>dxStride + offset) << 2), dy + ((row * <usize>dyStride + offset) << 2), from, w, n, scale, accumulate);
    }
  }
}

function normaliseGrad(dx: usize, dy: usize, x: usize, w: usize, n: i32, scale: f32, accumulate: i32): void {
  const shared: f32 = scale * scale * scale * (sumTriples(dy, w, x, n, 0) / <f32>n);
  let i = 0;
  if (SIMD) {
    for (; i + 4 <= n; i += 4, dx += 16, dy += 16, x += 16, w += 16) scaledGrad<v128>(dx, dy, x, w, splat<v128>(scale), splat<v128>(shared), accumulate);
  }
  for (; i < n; ++i, dx += 4, dy += 4, x += 4, w += 4) scaledGrad<f32>(dx, dy, x, w, scale, shared, accumulate);
}

// @ts-ignore: decorator
@inline
function scaledGrad<T>(dx: usize, dy: usize, x: usize, w: usize, scale: T, shared: T, accumulate: i32): void {
  const value = sub<T>(mul<T>(mul<T>(get<T>(dy), get<T>(w)), scale), mul<T>(get<T>(x), shared));
  put<T>(dx, accumulate ? add<T>(get<T>(dx), value) : value);
}

/**
 * Gradient by the weights: dw[column] += dy (x r) over rows 0 … m - 1 and their `groups` vectors, in order, with r from
 * rmsnorm_f32_grad. Items first … end are blocks of 16 columns, ceil(n / 16) in all.
 */
export function rmsnorm_f32_grad_w(dw: usize, dy: usize, x: usize, inverse: usize, m: i32, n: i32, groups: i32, dyStride: i32, xStride: i32, first: i32, end: i32): void {
  const from = first * COLUMN_BLOCK, stop = min(end * COLUMN_BLOCK, n);
  for (let row: usize = 0; row < <usize>m; ++row) {
    for (let group = 0; group < groups; ++group, inverse += 4) {
      const offset = <usize>(group * n + from);
      addWeighted(dw + (<usize>from << 2), dy + ((row * <usize>dyStride + offset) << 2), x + ((row * <usize>xStride + offset) << 2), stop - from, load<f32>(inverse));
    }
  }
}

function addWeighted(dw: usize, dy: usize, x: usize, n: i32, scale: f32): void {
  let i = 0;
  if (SIMD) {
    for (; i + 4 <= n; i += 4, dw += 16, dy += 16, x += 16) addProduct<v128>(dw, dy, mul<v128>(get<v128>(x), splat<v128>(scale)));
  }
  for (; i < n; ++i, dw += 4, dy += 4, x += 4) addProduct<f32>(dw, dy, get<f32>(x) * scale);
}

// @ts-ignore: decorator
@inline
function addProduct<T>(dw: usize, dy: usize, by: T): void {
  put<T>(dw, add<T>(get<T>(dw), mul<T>(get<T>(dy), by)));
}
