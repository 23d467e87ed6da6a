import type { Sampler } from './types.js';

/** Adds to the logits of single ids; -Infinity forbids an id. */
export function logitBias(bias: ReadonlyMap<number, number>): Sampler {
  const ids = Int32Array.from(bias.keys());
  const amounts = Float64Array.from(bias.values());
  return (candidates) => {
    for (let i = 0; i < ids.length; i++) {
      const at = candidates.find(ids[i]!);
      if (at >= 0) candidates.logits[at]! += amounts[i]!;
    }
    candidates.changed();
  };
}
