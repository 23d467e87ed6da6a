import type { GraphBuilder } from '../graph/builder.js';
import type { Graph } from '../graph/graph.js';
import type { Hyperparameters } from './hyperparameters.js';

/** How far a model sees. */
export interface ContextLimits {
  /** Tokens that it was trained on. */
  readonly trained: number;
  /** Positions go on beyond those (rotary); learned ones end where their table ends. */
  readonly stretches: boolean;
  /** Tokens that the narrowest sliding window sees: longer sequences cannot be trained. */
  readonly slidingWindow?: number | undefined;
}

/** A model as it is computed. */
export interface Network {
  readonly graph: Graph;
  readonly layers: number;
  readonly context: ContextLimits;
}

/** Configuration to graph. One file per GGUF `general.architecture`. */
export type Architecture = (g: GraphBuilder, h: Hyperparameters) => Network;
