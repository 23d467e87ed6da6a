import { checkRange } from './check.js';
import type { Sampler } from './types.js';

/** Keeps the k most likely ids (Fan et al. 2018); 0 keeps all. */
export function topK(k: number): Sampler {
  checkRange('topK', k, 0, Number.MAX_SAFE_INTEGER);
  return k === 0 ? () => {} : (candidates) => candidates.select(k);
}
