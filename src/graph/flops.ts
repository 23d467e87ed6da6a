import type { Graph } from './graph.js';

/**
 * Floating-point operations of one token forward, a multiplication and an addition counted as two: matrices, and attention over half of
 * `context` on average. What is linear in the width (norms, activations, rotation) is left out, as is usual.
 */
export function flopsPerToken({ nodes }: Pick<Graph, 'nodes'>, context: number): number {
  return nodes.reduce((sum, node) => sum + (node.op.flops?.(node, (context + 1) / 2) ?? 0), 0);
}

/** Backward takes twice the operations of forward: a product for the inputs' gradients, one for the weights'. */
export const trainingFlops = (graph: Pick<Graph, 'nodes'>, context: number, tokens: number): number => 3 * flopsPerToken(graph, context) * tokens;
