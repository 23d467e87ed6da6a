import { checkRange, clamped, MOST } from './check.js';
import type { Sampler } from './types.js';

/** Below this a temperature counts as 0: the division would only overflow. */
export const COLDEST = 1e-4;

/** Keeps the most likely id alone, the first of equals. */
export const greedy: Sampler = (candidates) => candidates.select(1);

/**
 * Divides the logits: below 1 sharpens the distribution, above 1 flattens it, 0 is greedy. Where quotients would be too large
 * for 32 bits, differences to the largest logit are divided in place of the logits: that changes no probability.
 */
export function temperature(degree: number): Sampler {
  checkRange('temperature', degree, 0, MOST);
  if (degree < COLDEST) return greedy;
  return (candidates) => {
    const { logits, size, sorted } = candidates;
    const largest = logits[candidates.best()]!;
    const tooLarge = Math.abs(largest) / degree > MOST && largest > -Infinity;
    if (tooLarge) for (let i = 0; i < size; i++) logits[i] = clamped((logits[i]! - largest) / degree);
    else for (let i = 0; i < size; i++) logits[i]! /= degree;
    candidates.changed();
    candidates.sorted = sorted;
  };
}
