/** Absolute, for rows of up to a few hundred thousand elements. */
export const SOFTMAX_TOLERANCE = 1e-6;

/** exp(scale x) over its sum, in f64. */
export function softmax(x: ArrayLike<number>, scale = 1): Float64Array {
  const largest = Array.from(x).reduce((best, value) => Math.max(best, value), -Infinity);
  const e = Float64Array.from(x, (value) => Math.exp(scale * (value - largest)));
  const total = e.reduce((sum, value) => sum + value, 0);
  return e.map((value) => value / total);
}
