import type { Candidates } from './candidates.js';
import { checkRange, clamped } from './check.js';
import type { Sampler } from './types.js';

/** How repetition is held back. */
export interface Penalties {
  /** Divides positive and multiplies negative logits of ids seen before (CTRL, Keskar et al. 2019). 1 is off. */
  readonly repetition: number;
  /** Subtracted once from ids seen before. 0 is off. */
  readonly presence: number;
  /** Subtracted for every time an id was seen. 0 is off. */
  readonly frequency: number;
  /** How many of the latest ids count; -1 all. */
  readonly window: number;
}

/** Makes the latest ids, of prompt and answer, less likely to come again. */
export function penalties(given: Penalties): Sampler {
  const { repetition, presence, frequency, window }: Penalties = Object(given);
  checkRange('penalties (repetition)', repetition, Number.MIN_VALUE, Number.MAX_VALUE);
  checkRange('penalties (presence)', presence, -Number.MAX_VALUE, Number.MAX_VALUE);
  checkRange('penalties (frequency)', frequency, -Number.MAX_VALUE, Number.MAX_VALUE);
  checkRange('penalties (window)', window, -1, Number.MAX_SAFE_INTEGER);
  /** Times seen in the window; all zero between tokens. */
  let counts = new Uint32Array(0);

  const apply = (candidates: Candidates, id: number, count: number): void => {
    const at = candidates.find(id);
    if (at < 0) return;
    const logit = candidates.logits[at]!;
    const scaled = logit > 0 ? logit / repetition : logit * repetition;
    candidates.logits[at] = clamped(scaled - count * frequency - presence);
  };

  return (candidates, { ids, length }) => {
    if (counts.length === 0) counts = new Uint32Array(candidates.vocabulary);
    const first = window < 0 ? 0 : Math.max(0, length - window);
    for (let i = first; i < length; i++) counts[ids[i]!]!++;
    for (let i = first; i < length; i++) {
      const id = ids[i]!;
      if (counts[id]! > 0) apply(candidates, id, counts[id]!);
      counts[id] = 0;
    }
    candidates.changed();
  };
}
