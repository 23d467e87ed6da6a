import type { Sampler } from './types.js';

/** What `mirostat` takes. */
export interface Mirostat {
  /** The surprise aimed at, in bits. Default 5. */
  readonly tau?: number;
  /** How quickly it is corrected. Default 0.1. */
  readonly eta?: number;
}

/**
 * Mirostat 2 (Basu et al. 2021): ids whose surprise exceeds a bound go; the bound follows the surprise of what was chosen, so
 * that its mean comes to tau. To be the last of a list. Each generation begins anew, with a bound of 2 tau.
 */
export function mirostat({ tau = 5, eta = 0.1 }: Mirostat = {}): Sampler {
  return controller(tau, eta, 2 * tau, undefined);
}

/** `bound` in bits; `chosen`: the probability of the latest id, which the bound does not know of yet. */
function controller(tau: number, eta: number, bound: number, chosen: number | undefined): Sampler {
  const sampler: Sampler = (candidates) => {
    if (chosen !== undefined) bound -= eta * (-candidates.log(chosen) / Math.LN2 - tau);
    chosen = undefined;
    candidates.softmax();
    const { probabilities, mass } = candidates;
    const least = candidates.exp(-bound * Math.LN2) * mass;
    if (probabilities[candidates.best()]! < least) candidates.select(1);
    else candidates.keep(probabilities, least);
  };
  return Object.assign(sampler, {
    accept: (_: number, probability: number) => void (chosen = probability),
    fork: () => controller(tau, eta, bound, chosen),
  });
}
