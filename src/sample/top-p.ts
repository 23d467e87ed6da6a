import { checkRange } from './check.js';
import type { Sampler } from './types.js';

/**
 * Nucleus sampling (Holtzman et al. 2019): the most likely ids whose probabilities together just exceed p. As in
 * llama2.c, ids under (1 - p) / (n - 1) are dropped before sorting: even all together they could not be needed.
 */
export function topP(p: number): Sampler {
  checkRange('topP', p, 0, 1);
  return (candidates) => {
    candidates.softmax();
    const { probabilities, size, mass } = candidates;
    if (size > 1) candidates.keep(probabilities, ((1 - p) * mass) / (size - 1));
    candidates.sort(p * mass);
  };
}
