import type { Candidates } from './candidates.js';

/** Ids of a generation so far, the prompt's included: [0, length). */
export interface History {
  readonly ids: Int32Array;
  readonly length: number;
}

/**
 * Narrows or reshapes the candidates in place. Must leave at least one, and must not use Math.exp, log, pow or sin
 * (they differ between engines) or Math.random: `candidates.exp`, `candidates.log` and `candidates.random` do not.
 */
export interface Sampler {
  (candidates: Candidates, history: History): void;
  /** Told after each token what was chosen, and the probability that it had among the candidates left. */
  accept?(id: number, probability: number): void;
  /** Of one with a state: the same from here on, apart from this. Each generation works on a copy. */
  fork?(): Sampler;
}

/** Options of the samplers that few ask for, complete; see GenerateOptions for the meaning of each. */
export interface MoreOptions {
  readonly dryMultiplier: number;
  readonly dryBase: number;
  readonly dryAllowedLength: number;
  readonly dryPenaltyLastN: number;
  readonly drySequenceBreakers: readonly string[];
  readonly topNSigma: number;
  readonly dynatempRange: number;
  readonly dynatempExponent: number;
  readonly xtcProbability: number;
  readonly xtcThreshold: number;
  readonly mirostat: number;
  readonly mirostatTau: number;
  readonly mirostatEta: number;
}

/** Those samplers, as far as they were asked for. */
export interface MoreSamplers {
  readonly dry?: Sampler | undefined;
  readonly sigma?: Sampler | undefined;
  /** In place of the fixed one. */
  readonly temperature?: Sampler | undefined;
  readonly xtc?: Sampler | undefined;
  readonly mirostat?: Sampler | undefined;
}
