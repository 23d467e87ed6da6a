import { checkRange } from './check.js';
import type { Sampler } from './types.js';

/**
 * Locally typical sampling (Meister et al. 2022): the ids whose surprise is closest to the entropy of the distribution,
 * until their probabilities together exceed p. Leaves them in that order.
 */
export function typicalP(p: number): Sampler {
  checkRange('typicalP', p, 0, 1);
  return (candidates) => {
    candidates.softmax();
    const { keys, logits, size, mass } = candidates;
    const { logsumexp, entropy } = candidates.measure();
    for (let i = 0; i < size; i++) keys[i] = Math.abs(logsumexp - logits[i]! - entropy);
    candidates.sortByKeys(p * mass);
  };
}
