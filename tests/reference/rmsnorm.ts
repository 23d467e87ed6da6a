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

/** Relative to the largest of a vector's gradients. */
export const RMSNORM_GRAD_TOLERANCE = 2e-6;

/** Gradients of `rmsnorm` by x and by w, for the gradient dy of its result. */
export function rmsnormGrad(dy: ArrayLike<number>, x: ArrayLike<number>, w: ArrayLike<number>, n: number, eps: number): { dx: Float64Array; dw: Float64Array } {
  const dx = new Float64Array(x.length), dw = new Float64Array(n);
  for (let at = 0; at < x.length; at += n) {
    const lanes = Array.from({ length: n }, (_, i) => i);
    const inverse = 1 / Math.sqrt(lanes.reduce((sum, i) => sum + x[at + i]! ** 2, 0) / n + eps);
    const dot = lanes.reduce((sum, i) => sum + dy[at + i]! * w[i]! * x[at + i]!, 0);
    for (const i of lanes) {
      dx[at + i] = dy[at + i]! * w[i]! * inverse - (x[at + i]! * inverse ** 3 * dot) / n;
      dw[i]! += dy[at + i]! * x[at + i]! * inverse;
    }
  }
  return { dx, dw };
}
