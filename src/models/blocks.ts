import type { GraphBuilder } from '../graph/builder.js';
import type { Graph, RopeStyle, Value } from '../graph/graph.js';
import { type Hyperparameters, readRope, readRopeStyle, readShape, type Shape } from './hyperparameters.js';

/** Normalised weight of the output layer: its own tensor, or the token embedding where they are tied. */
export const outputWeight = (g: GraphBuilder): string => (g.has('output.weight') ? 'output.weight' : 'token_embd.weight');

export interface RotaryVariant {
  /** Order of rotary pairs in this architecture's GGUF files. */
  style: RopeStyle;
  /** RMSNorm of each query and key head before the rotation (Qwen 3). */
  headNorm: boolean;
}

/**
 * The decoder that llama, Mistral and Qwen share: pre-norm blocks of grouped-query attention with rotary positions
 * and a SwiGLU feed-forward (Touvron et al. 2023; Shazeer 2020). In the last block only the head's rows go past the keys and values.
 */
export function rotaryDecoder(g: GraphBuilder, h: Hyperparameters, variant: RotaryVariant): Graph {
  const shape = readShape(h);
  const rope = readRope(h, shape);
  if (rope.factors) g.declareVector(rope.factors, rope.dims / 2);
  const epsilon = h.real('attention.layer_norm_rms_epsilon', 1e-5);
  const headNorm = (x: Value, weight: string, heads: number) => (variant.headNorm ? g.rmsnorm(x, weight, epsilon, heads) : x);
  const turn = (x: Value, heads: number) => g.rope(x, heads, shape.headDim, rope.dims, readRopeStyle(h, variant.style));

  let x = g.embed('tokens', 'token_embd.weight', shape.embedding, shape.vocabulary);
  for (let layer = 0; layer < shape.layers; layer++) {
    const name = `blk.${layer}`;
    g.within(name);
    const last = layer === shape.layers - 1;
    const normed = g.rmsnorm(x, `${name}.attn_norm.weight`, epsilon);
    const heads = { layer, ...shape };
    const k = g.linear(normed, `${name}.attn_k`, shape.kvHeads * shape.headDim);
    const v = g.linear(normed, `${name}.attn_v`, shape.kvHeads * shape.headDim);
    const queries = (of: Value) => g.linear(of, `${name}.attn_q`, shape.heads * shape.headDim);
    // Beside the keys, so that threads need not meet between them; of the last block after the store, where a run without logits ends.
    const early = last ? undefined : queries(normed);
    g.store(turn(headNorm(k, `${name}.attn_k_norm.weight`, shape.kvHeads), shape.kvHeads), v, heads);
    const q = early ?? queries(g.head(normed));
    const mixed = g.attention(turn(headNorm(q, `${name}.attn_q_norm.weight`, shape.heads), shape.heads), heads);
    x = g.add(last ? g.head(x) : x, g.linear(mixed, `${name}.attn_output`, shape.embedding), 'attn_residual');
    x = g.add(x, swiglu(g, g.rmsnorm(x, `${name}.ffn_norm.weight`, epsilon), name, shape), 'output');
  }
  g.within('');
  const logits = g.logits(g.rmsnorm(x, 'output_norm.weight', epsilon), outputWeight(g), shape.vocabulary);
  return g.finish(logits, { ...graphShape(shape), rope });
}

export const graphShape = ({ layers, kvHeads, headDim, vocabulary, context, slidingWindow }: Shape) => ({
  layers,
  kvHeads,
  headDim,
  vocabulary,
  trainedContext: context,
  slidingWindow,
});

function swiglu(g: GraphBuilder, x: Value, name: string, { feedForward, embedding }: Shape): Value {
  const gate = g.linear(x, `${name}.ffn_gate`, feedForward);
  const up = g.linear(x, `${name}.ffn_up`, feedForward);
  return g.linear(g.gate(gate, up, 'silu'), `${name}.ffn_down`, embedding);
}
