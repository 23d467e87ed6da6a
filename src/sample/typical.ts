import { countUntil } from './top-p.js';
import type { Sampler } from './types.js';

const LEAST_FINITE = -3.4028234663852886e38;

/**
 * Locally typical sampling (Meister et al. 2022): the ids whose surprise is closest to the entropy of the distribution,
 * until their probabilities together exceed p. Leaves them in that order.
 */
export function typicalP(p: number): Sampler {
  return (candidates) => {
    candidates.keep(candidates.logits, LEAST_FINITE);
    candidates.softmax();
    const { keys, logits, size, mass } = candidates;
    const [, logsumexp, entropy] = candidates.measure() as ArrayLike<number> as [number, number, number];
    for (let i = 0; i < size; i++) keys[i] = Math.abs(logsumexp - logits[i]! - entropy);
    candidates.sortByKeys();
    candidates.truncate(countUntil(candidates.probabilities, size, p * mass));
  };
}
