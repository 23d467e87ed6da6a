/** Absolute, for results of a few units. */
export const LAYERNORM_TOLERANCE = 4e-6;

/** (x - mean) / sqrt(variance + eps) * w + b in f64. */
export function layernorm(x: ArrayLike<number>, w: ArrayLike<number>, b: ArrayLike<number> | undefined, eps: number): Float64Array {
  return standardised(x, eps).y.map((value, i) => value * w[i]! + (b?.[i] ?? 0));
}

function standardised(x: ArrayLike<number>, eps: number): { y: Float64Array; inverse: number } {
  const values = Float64Array.from(x);
  const mean = values.reduce((sum, value) => sum + value / x.length, 0);
  const inverse = 1 / Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2 / x.length, 0) + eps);
  return { y: values.map((value) => (value - mean) * inverse), inverse };
}

/** Relative to the largest of a row's gradients. */
export const LAYERNORM_GRAD_TOLERANCE = 4e-6;

/** Gradients of `layernorm` by x and by w, for the gradient dy of its result, which is also that by b. */
export function layernormGrad(dy: ArrayLike<number>, x: ArrayLike<number>, w: ArrayLike<number>, eps: number): { dx: Float64Array; dw: Float64Array } {
  const { y, inverse } = standardised(x, eps);
  const direct = y.map((_, i) => dy[i]! * w[i]!);
  const mean = direct.reduce((sum, value) => sum + value, 0) / y.length;
  const along = direct.reduce((sum, value, i) => sum + value * y[i]!, 0) / y.length;
  return { dx: y.map((value, i) => (direct[i]! - mean - value * along) * inverse), dw: y.map((value, i) => value * dy[i]!) };
}
