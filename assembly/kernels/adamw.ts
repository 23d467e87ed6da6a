import { SIMD } from '../lanes';
import { both, loadFirst, upper } from '../math';
import { add, div, entry, get, mul, put, splat, sqrt, sub } from '../vector';
import { ELEMENT_BLOCK } from './elements';

// Numbers of `settings`, in order.
const RATE: usize = 0, BETA1: usize = 1, BETA2: usize = 2, EPSILON: usize = 3, DECAY: usize = 4, CORRECTION1: usize = 5, CORRECTION2: usize = 6, GRADIENT_SCALE: usize = 7;

/**
 * One step of AdamW (Loshchilov and Hutter 2019) for parameters p with gradients g and moments m, v; blocks first … end of
 * 1,024 of `count` elements. settings: f32 [lr, beta1, beta2, eps, weightDecay, 1 - beta1^t, 1 - beta2^t, gradientScale].
 *
 *   g' = g gradientScale;  m = m beta1 + g' (1 - beta1);  v = v beta2 + (g' g') (1 - beta2)
 *   p = p (1 - lr weightDecay) - m (lr / correction1) / (sqrt(v / correction2) + eps)
 */
export function adamw_f32(p: usize, g: usize, m: usize, v: usize, settings: usize, count: i32, first: i32, end: i32): void {
  const from = <usize>(first * ELEMENT_BLOCK) << 2, stop = <usize>min(end * ELEMENT_BLOCK, count) << 2;
  let at = from;
  if (SIMD) {
    for (; at + 16 <= stop; at += 16) step<v128>(p + at, g + at, m + at, v + at, settings);
  }
  for (; at < stop; at += 4) step<f32>(p + at, g + at, m + at, v + at, settings);
}

// @ts-ignore: decorator
@inline
function step<T>(p: usize, g: usize, m: usize, v: usize, settings: usize): void {
  const one = splat<T>(1), rate = entry<T>(settings, RATE), beta1 = entry<T>(settings, BETA1), beta2 = entry<T>(settings, BETA2);
  const gradient = mul<T>(get<T>(g), entry<T>(settings, GRADIENT_SCALE));
  const mean = add<T>(mul<T>(get<T>(m), beta1), mul<T>(gradient, sub<T>(one, beta1)));
  const square = add<T>(mul<T>(get<T>(v), beta2), mul<T>(mul<T>(gradient, gradient), sub<T>(one, beta2)));
  put<T>(m, mean);
  put<T>(v, square);
  const root = add<T>(sqrt<T>(div<T>(square, entry<T>(settings, CORRECTION2))), entry<T>(settings, EPSILON));
  const change = div<T>(mul<T>(mean, div<T>(rate, entry<T>(settings, CORRECTION1))), root);
  const kept = sub<T>(one, mul<T>(rate, entry<T>(settings, DECAY)));
  put<T>(p, sub<T>(mul<T>(get<T>(p), kept), change));
}

/** Elements whose squares become one partial sum. */
const SQUARES_BLOCK: i32 = 4096;

/**
 * partials[block] (f64) = sum of the squares of the block's 4,096 of `count` elements, for blocks first … end. In f64, where
 * the squares are exact: element i goes to partial sum i mod 4, in order, and they combine as (p0 + p1) + (p2 + p3).
 */
export function sum_squares_f32(partials: usize, x: usize, count: i32, first: i32, end: i32): void {
  for (let block = first; block < end; ++block) {
    const from = block * SQUARES_BLOCK, n = min(count - from, SQUARES_BLOCK), at = x + (<usize>from << 2);
    const total = SIMD ? squaresOfLanes(at, n) : squares(at, n, 0) + squares(at, n, 1) + (squares(at, n, 2) + squares(at, n, 3));
    store<f64>(partials + (<usize>block << 3), total);
  }
}

function squares(x: usize, n: i32, lane: i32): f64 {
  let total: f64 = 0;
  for (let i = lane; i < n; i += 4) {
    const value = <f64>load<f32>(x + (<usize>i << 2));
    total += value * value;
  }
  return total;
}

function squaresOfLanes(x: usize, n: i32): f64 {
  let low = f64x2.splat(0), high = low;
  for (let i = 0; i < n; i += 4, x += 16) {
    const values = i + 4 <= n ? v128.load(x) : loadFirst(x, n - i);
    const a = f64x2.promote_low_f32x4(values), b = f64x2.promote_low_f32x4(upper(values));
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
  }
  return both(low) + both(high);
}
