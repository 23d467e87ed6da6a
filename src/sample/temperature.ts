import { COLDEST } from './candidates.js';
import { checkRange, MOST } from './check.js';
import type { Sampler } from './types.js';

/** Keeps the most likely id alone, the first of equals. */
export const greedy: Sampler = (candidates) => candidates.select(1);

/** Divides the logits: below 1 sharpens the distribution, above 1 flattens it, 0 is greedy. */
export function temperature(degree: number): Sampler {
  checkRange('temperature', degree, 0, MOST);
  return degree < COLDEST ? greedy : (candidates) => candidates.divide(degree);
}
