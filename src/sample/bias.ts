import { checkRange, clamped, MOST } from './check.js';
import type { Sampler } from './types.js';

/** Adds to the logits of single ids, finite numbers of 32 bits; -Infinity forbids an id. */
export function logitBias(bias: ReadonlyMap<number, number>): Sampler {
  for (const amount of bias.values()) if (amount !== -Infinity) checkRange('logitBias', Math.fround(amount), -MOST, MOST);
  const ids = Int32Array.from(bias.keys());
  const amounts = Float64Array.from(bias.values());
  return (candidates) => {
    for (let i = 0; i < ids.length; i++) {
      const at = candidates.find(ids[i]!);
      if (at >= 0) candidates.logits[at] = clamped(candidates.logits[at]! + amounts[i]!);
    }
    candidates.changed();
  };
}
