import type { GraphBuilder } from '../graph/builder.js';
import type { Graph } from '../graph/graph.js';
import type { Hyperparameters } from './hyperparameters.js';

/** Configuration to graph. One file per GGUF `general.architecture`. */
export type Architecture = (g: GraphBuilder, h: Hyperparameters) => Graph;
