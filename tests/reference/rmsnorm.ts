/** Relative, for rows of up to a few thousand elements. */
export const RMSNORM_TOLERANCE = 1e-6;

/** Consecutive vectors of n elements, each divided by the root of its mean square, times w[n]; in f64. */
export function rmsnorm(x: ArrayLike<number>, w: ArrayLike<number>, n: number, eps: number): Float64Array {
  return Float64Array.from(x, (value, i) => {
    let squares = 0;
    for (let at = i - (i % n), j = 0; j < n; j++) squares += x[at + j]! ** 2;
    return (value / Math.sqrt(squares / n + eps)) * w[i % n]!;
  });
}
