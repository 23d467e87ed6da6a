/** Absolute, for results of a few units. */
export const LAYERNORM_TOLERANCE = 4e-6;

/** (x - mean) / sqrt(variance + eps) * w + b in f64. */
export function layernorm(x: Float32Array, w: ArrayLike<number>, b: ArrayLike<number> | undefined, eps: number): Float64Array {
  const mean = x.reduce((sum, value) => sum + value / x.length, 0);
  const variance = x.reduce((sum, value) => sum + (value - mean) ** 2 / x.length, 0);
  return Float64Array.from(x, (value, i) => ((value - mean) / Math.sqrt(variance + eps)) * w[i]! + (b?.[i] ?? 0));
}
