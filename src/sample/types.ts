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

/** What may come next: the first step of the chain, before all samplers. It works on ids; texts are its own concern. */
export interface Constraint {
  /**
   * Sets the bits of the ids that may come next: id i is bit `i % 32` of word `i >>> 5`. `out` holds zeros, a bit for each id
   * of the vocabulary; bits beyond it count for nothing. Returns how many ids it allows; none is an error. An end token ends
   * an answer only where it is allowed.
   */
  mask(out: Uint32Array): number;
  /** Told which id was chosen, end tokens included. Returns whether that is right: an id that the mask allowed always is. */
  accept(id: number): boolean;
  /** Whether the answer is complete: no more may come. */
  readonly done: boolean;
  /** The same from here on, apart from this. Each generation works on a copy. */
  fork(): Constraint;
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
