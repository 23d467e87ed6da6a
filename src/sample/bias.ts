import { checkRange, MOST, refuse } from './check.js';
import type { Sampler } from './types.js';

/** Adds to the logits of single ids, finite numbers of 32 bits; -Infinity forbids an id. */
export function logitBias(bias: ReadonlyMap<number, number>): Sampler {
  if (!(bias instanceof Map)) refuse('logitBias to be given a Map of ids', bias);
  for (const [id, amount] of bias as ReadonlyMap<unknown, unknown>) {
    checkRange('ids of logitBias', id, 0, 2 ** 31 - 1);
    if (amount !== -Infinity) checkRange('logitBias', typeof amount === 'number' ? Math.fround(amount) : amount, -MOST, MOST);
  }
  const ids = Int32Array.from(bias.keys());
  const amounts = Float64Array.from(bias.values());
  return (candidates) => {
    for (let i = 0; i < ids.length; i++) {
      const at = candidates.find(ids[i]!);
      if (at >= 0) candidates.add(at, amounts[i]!);
    }
    candidates.changed();
  };
}
