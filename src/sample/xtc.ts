import type { Candidates } from './candidates.js';
import type { Sampler } from './types.js';

/** What `xtc` takes. */
export interface Xtc {
  /** How often it acts: 0 never, 1 at every token. Default 0.5. */
  readonly probability?: number;
  /** From this probability on an id is a top choice. Above 0.5 there cannot be two: off. Default 0.1. */
  readonly threshold?: number;
}

/** Excludes top choices: of the ids at least as likely as the threshold, all but the least likely go. */
export function xtc({ probability = 0.5, threshold = 0.1 }: Xtc): Sampler {
  return (candidates) => {
    if (probability === 0 || threshold > 0.5 || candidates.size < 2 || candidates.random() > probability) return;
    candidates.softmax();
    excludeAbove(candidates, threshold * candidates.mass);
  };
}

function excludeAbove(candidates: Candidates, threshold: number): void {
  const { keys, probabilities, size } = candidates;
  const isTop = (i: number): boolean => probabilities[i]! >= threshold && probabilities[i]! > 0;
  let least = -1;
  for (let i = 0; i < size; i++) {
    if (isTop(i) && (least < 0 || probabilities[i]! <= probabilities[least]!)) least = i;
  }
  for (let i = 0; i < size; i++) keys[i] = i !== least && isTop(i) ? 0 : 1;
  candidates.keep(keys, 1);
}
