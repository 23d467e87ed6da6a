import { SIMD } from '../lanes';
import { sum, sumProducts, sumSquares, sumTriples } from '../math';
import { add, get, mul, put, splat, sub } from '../vector';
import { addTo, COLUMN_BLOCK } from './bias';

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
  const mean = meanOf(x, n), scale = inverseDeviation(x, n, mean, eps);
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

function meanOf(x: usize, n: i32): f32 {
  return sum(x, n) / <f32>n;
}

function inverseDeviation(x: usize, n: i32, mean: f32, eps: f32): f32 {
  return <f32>1 / NativeMathf.sqrt(sumSquares(x, n, mean) / <f32>n + eps);
}

/**
 * Gradient by x, and for layernorm_f32_grad_w each row's mean and inverse standard deviation r: stats[row] = f32 [mean, r].
 * dx[i] (+)= (dy[i] w[i] - a) r - (x[i] - mean) c, with a = (sum of dy w) / n and c = ((r r) r) (sum of dy w (x - mean) / n),
 * sums in the order of math.ts. `accumulate` adds.
 */
export function layernorm_f32_grad(dx: usize, stats: usize, dy: usize, x: usize, w: usize, n: i32, dxStride: i32, dyStride: i32, xStride: i32, eps: f32, accumulate: i32, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    const from = x + ((row * <usize>xStride) << 2), mean = meanOf(from, n), scale = inverseDeviation(from, n, mean, eps);
    store<f32>(stats + (row << 3), mean);
    store<f32>(stats + (row << 3), scale, 4);
    normaliseGrad(dx + ((row * <usize>dxStride) << 2), dy + ((row * <usize>dyStride) << 2), from, w, n, mean, scale, accumulate);
  }
}

function normaliseGrad(dx: usize, dy: usize, x: usize, w: usize, n: i32, mean: f32, scale: f32, accumulate: i32): void {
  const average: f32 = sumProducts(dy, w, n) / <f32>n;
  const shared: f32 = scale * scale * scale * (sumTriples(dy, w, x, n, mean) / <f32>n);
  let i = 0;
  if (SIMD) {
    const averages = splat<v128>(average), means = splat<v128>(mean), scales = splat<v128>(scale), all = splat<v128>(shared);
    for (; i + 4 <= n; i += 4, dx += 16, dy += 16, x += 16, w += 16) shiftedGrad<v128>(dx, dy, x, w, averages, means, scales, all, accumulate);
  }
  for (; i < n; ++i, dx += 4, dy += 4, x += 4, w += 4) shiftedGrad<f32>(dx, dy, x, w, average, mean, scale, shared, accumulate);
}

// @ts-ignore: decorator
@inline
function shiftedGrad<T>(dx: usize, dy: usize, x: usize, w: usize, average: T, mean: T, scale: T, shared: T, accumulate: i32): void {
  const direct = mul<T>(sub<T>(mul<T>(get<T>(dy), get<T>(w)), average), scale);
  const value = sub<T>(direct, mul<T>(sub<T>(get<T>(x), mean), shared));
  put<T>(dx, accumulate ? add<T>(get<T>(dx), value) : value);
}

/**
 * Gradients by weights and bias: dw[column] += dy ((x - mean) r) and db[column] += dy over rows 0 … m - 1, in order, with the
 * stats of layernorm_f32_grad; db = 0: no bias. Items first … end are blocks of 16 columns, ceil(n / 16) in all.
 */
export function layernorm_f32_grad_w(dw: usize, db: usize, dy: usize, x: usize, stats: usize, m: i32, n: i32, dyStride: i32, xStride: i32, first: i32, end: i32): void {
  const from = first * COLUMN_BLOCK, stop = min(end * COLUMN_BLOCK, n), count = stop - from;
  for (let row: usize = 0; row < <usize>m; ++row, stats += 8) {
    const gradient = dy + ((row * <usize>dyStride + <usize>from) << 2);
    addWeighted(dw + (<usize>from << 2), gradient, x + ((row * <usize>xStride + <usize>from) << 2), count, load<f32>(stats), load<f32>(stats, 4));
    if (db) addTo(db + (<usize>from << 2), gradient, count);
  }
}

function addWeighted(dw: usize, dy: usize, x: usize, n: i32, mean: f32, scale: f32): void {
  let i = 0;
  if (SIMD) {
    for (; i + 4 <= n; i += 4, dw += 16, dy += 16, x += 16) addWeight<v128>(dw, dy, x, splat<v128>(mean), splat<v128>(scale));
  }
  for (; i < n; ++i, dw += 4, dy += 4, x += 4) addWeight<f32>(dw, dy, x, mean, scale);
}

// @ts-ignore: decorator
@inline
function addWeight<T>(dw: usize, dy: usize, x: usize, mean: T, scale: T): void {
  put<T>(dw, add<T>(get<T>(dw), mul<T>(get<T>(dy), mul<T>(sub<T>(get<T>(x), mean), scale))));
}
