import { softmax } from './softmax.js';

/** Of log-sum-exp and entropy, absolute. */
export const STATS_TOLERANCE = 2e-6;

/** Index of the largest, the lowest on ties, never a NaN's; 0 when all are NaN. */
export function argmax(x: Float32Array): number {
  return topk(x, 1)[0]?.id ?? 0;
}

/** The `count` largest in descending order, ties by lower index, without NaN. */
export function topk(x: Float32Array, count: number): { id: number; value: number }[] {
  return [...x]
    .map((value, id) => ({ id, value }))
    .filter(({ value }) => !Number.isNaN(value))
    .sort((a, b) => (a.value === b.value ? a.id - b.id : a.value < b.value ? 1 : -1))
    .slice(0, count);
}

/** [largest, log-sum-exp, entropy in nats] in f64. */
export function logitsStats(x: Float32Array): [number, number, number] {
  const largest = x.reduce((best, value) => (value > best ? value : best), -Infinity);
  if (largest === -Infinity) return [largest, largest, 0];
  const total = x.reduce((sum, value) => sum + Math.exp(value - largest), 0);
  const entropy = softmax(x).reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0);
  return [largest, largest + Math.log(total), entropy];
}
