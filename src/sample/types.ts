import type { Candidates } from './candidates.js';

/** Ids of a generation so far, the prompt's included: [0, length). */
export interface History {
  readonly ids: Int32Array;
  readonly length: number;
}

/**
 * Narrows or reshapes the candidates in place. Must leave at least one, and must not use Math.exp, log, pow or sin
 * (they differ between engines): `candidates.exp` and `candidates.log` do not.
 */
export type Sampler = (candidates: Candidates, history: History) => void;
