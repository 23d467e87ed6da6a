import type { Sampler } from './types.js';

/** Below this a temperature counts as 0: the division would only overflow. */
export const COLDEST = 1e-4;

/** Keeps the most likely id alone, the first of equals. */
export const greedy: Sampler = (candidates) => candidates.select(1);

/** Divides the logits: below 1 sharpens the distribution, above 1 flattens it, 0 is greedy. */
export function temperature(degree: number): Sampler {
  if (degree < COLDEST) return greedy;
  return (candidates) => {
    const { logits, size, sorted } = candidates;
    for (let i = 0; i < size; i++) logits[i]! /= degree;
    candidates.changed();
    candidates.sorted = sorted;
  };
}
