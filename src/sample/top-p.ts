import type { Sampler } from './types.js';

/**
 * Nucleus sampling (Holtzman et al. 2019): the most likely ids whose probabilities together just exceed p. As in
 * llama2.c, ids under (1 - p) / (n - 1) are dropped before sorting: even all together they could not be needed.
 */
export function topP(p: number): Sampler {
  return (candidates) => {
    candidates.softmax();
    const { probabilities, size, mass } = candidates;
    if (size > 1) candidates.keep(probabilities, ((1 - p) * mass) / (size - 1));
    candidates.sort();
    candidates.truncate(countUntil(probabilities, candidates.size, p * mass));
  };
}

/** How many leading entries it takes until their sum exceeds `limit`; all if it never does. */
export function countUntil(probabilities: Float32Array, size: number, limit: number): number {
  let sum = 0;
  for (let i = 0; i < size; i++) {
    sum += probabilities[i]!;
    if (sum > limit) return i + 1;
  }
  return size;
}
