import type { Sampler } from './types.js';

/**
 * Forbids the ids whose logit lies more than n standard deviations below the largest (Tang et al. 2024); 0 or less keeps all.
 * As in llama.cpp they stay candidates, of probability 0, and ids that were forbidden before do not count.
 */
export function topNSigma(n: number): Sampler {
  return (candidates) => {
    const { logits, size, sorted } = candidates;
    if (n <= 0 || size < 2) return;
    const least = logits[candidates.best()]! - n * deviation(logits, size);
    for (let i = 0; i < size; i++) if (logits[i]! < least) logits[i] = -Infinity;
    candidates.changed();
    candidates.sorted = sorted;
  };
}

/** The standard deviation of those that are not -Infinity; 0 for none. */
function deviation(logits: Float32Array, size: number): number {
  let count = 0;
  let sum = 0;
  for (let i = 0; i < size; i++) {
    if (!(logits[i]! > -Infinity)) continue;
    sum += logits[i]!;
    count++;
  }
  const mean = sum / count;
  let squares = 0;
  for (let i = 0; i < size; i++) if (logits[i]! > -Infinity) squares += (logits[i]! - mean) ** 2;
  return count === 0 ? 0 : Math.sqrt(squares / count);
}
