import { softmax } from './softmax.js';

/** Absolute, for losses of a few units. */
export const CROSS_ENTROPY_TOLERANCE = 2e-6;

/** -log softmax(logits)[target] in f64; 0 for a negative target. */
export function crossEntropy(logits: ArrayLike<number>, target: number): number {
  if (target < 0) return 0;
  const top = Array.from(logits).reduce((best, value) => Math.max(best, value), -Infinity);
  const total = Array.from(logits).reduce((sum, value) => sum + Math.exp(value - top), 0);
  return Math.log(total) - (logits[target]! - top);
}

/** scale (softmax - onehot); zeros for a negative target. */
export function crossEntropyGrad(logits: ArrayLike<number>, target: number, scale: number): Float64Array {
  return softmax(logits).map((value, i) => (target < 0 ? 0 : scale * (value - (i === target ? 1 : 0))));
}
