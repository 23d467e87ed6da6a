import { checkRange } from './check.js';
import type { Sampler } from './types.js';

/** Keeps the ids at least p times as likely as the most likely one (Nguyen et al. 2024). */
export function minP(p: number): Sampler {
  checkRange('minP', p, 0, 1);
  if (p === 0) return () => {};
  return (candidates) => candidates.keep(candidates.logits, candidates.logits[candidates.best()]! + candidates.log(p));
}
