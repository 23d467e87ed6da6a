import { SIMD } from '../lanes';
import { both, exp, firstLanes, largest, loadFirst, log_f64, upper } from '../math';
import { greater, mul, splat, sub } from '../vector';

/**
 * Of n logits: out = f64 [largest, log of the sum of exponentials, entropy of the softmax in nats].
 * With d = x - largest and e = exp(d) in f32, the sums of e and e d run in f64: element i goes to partial sum i mod 4, in
 * order, and they combine as (p0 + p1) + (p2 + p3). -Infinity counts as probability 0; if nothing else is there, the result
 * is [-Infinity, -Infinity, 0]. NaN or Infinity among the logits makes the last two NaN.
 */
export function logits_stats_f32(x: usize, n: i32, out: usize): void {
  const max: f32 = largest(x, n) + 0; // turns -0, which some orders of comparison would find, into 0
  store<f64>(out, max);
  if (max == -Infinity) {
    store<f64>(out, -Infinity, 8);
    store<f64>(out, 0, 16);
    return;
  }
  const total = SIMD ? sumLanes(x, n, max, out) : sumPartials(x, n, max, out);
  const weighted = load<f64>(out, 8);
  const logTotal = log_f64(total);
  store<f64>(out, <f64>max + logTotal, 8);
  store<f64>(out, logTotal - weighted / total, 16);
}

/** x - max; -Infinity becomes a number whose exponential is 0 all the same, because 0 * -Infinity would be NaN. */
// @ts-ignore: decorator
@inline
function below<T>(x: T, max: T): T {
  return greater<T>(sub<T>(x, max), splat<T>(-1000));
}

/** Returns the sum of e and writes the sum of e d to out[1]. */
function sumPartials(x: usize, n: i32, max: f32, out: usize): f64 {
  store<f64>(out, 0, 8);
  store<f64>(out, 0, 16);
  const low = partial(x, n, 0, max, out + 8) + partial(x, n, 1, max, out + 8);
  const high = partial(x, n, 2, max, out + 16) + partial(x, n, 3, max, out + 16);
  store<f64>(out, load<f64>(out, 8) + load<f64>(out, 16), 8);
  return low + high;
}

/** One partial sum of e; that of e d is added to what is at `weightedAt`. */
function partial(x: usize, n: i32, lane: i32, max: f32, weightedAt: usize): f64 {
  let total: f64 = 0, weighted: f64 = 0;
  for (let i = lane; i < n; i += 4) {
    const d = below<f32>(load<f32>(x + (<usize>i << 2)), max);
    const e = exp<f32>(d);
    total += <f64>e;
    weighted += <f64>(e * d);
  }
  store<f64>(weightedAt, load<f64>(weightedAt) + weighted);
  return total;
}

function sumLanes(x: usize, n: i32, max: f32, out: usize): f64 {
  let total01 = f64x2.splat(0), total23 = total01, weighted01 = total01, weighted23 = total01;
  for (let i = 0; i < n; i += 4, x += 16) {
    const whole = i + 4 <= n;
    const d = below<v128>(whole ? v128.load(x) : loadFirst(x, n - i), splat<v128>(max));
    const e = whole ? exp<v128>(d) : v128.and(exp<v128>(d), firstLanes(n - i));
    const product = mul<v128>(e, d);
    total01 = f64x2.add(total01, f64x2.promote_low_f32x4(e));
    total23 = f64x2.add(total23, f64x2.promote_low_f32x4(upper(e)));
    weighted01 = f64x2.add(weighted01, f64x2.promote_low_f32x4(product));
    weighted23 = f64x2.add(weighted23, f64x2.promote_low_f32x4(upper(product)));
  }
  store<f64>(out, both(weighted01) + both(weighted23), 8);
  return both(total01) + both(total23);
}
