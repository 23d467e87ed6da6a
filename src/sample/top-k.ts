import type { Sampler } from './types.js';

/** Keeps the k most likely ids (Fan et al. 2018). */
export function topK(k: number): Sampler {
  return (candidates) => candidates.select(k);
}
