import type { GraphBuilder } from '../graph/builder.js';
import type { Value } from '../graph/node.js';
import { glu } from '../ops/activation.js';
import { add } from '../ops/add.js';
import { attention } from '../ops/attention.js';
import { lookUp } from '../ops/embed.js';
import { linear, product } from '../ops/linear.js';
import { rmsnorm } from '../ops/norms.js';
import { rope, type RopeStyle } from '../ops/rope.js';
import type { ContextLimits, Network } from './architecture.js';
import { type Hyperparameters, readRope, readRopeStyle, readShape, type Shape } from './hyperparameters.js';

/** Normalised weight of the output layer: its own tensor, or the token embedding where they are tied. */
export const outputWeight = (g: GraphBuilder): string => (g.has('output.weight') ? 'output.weight' : 'token_embd.weight');

/** The input of token ids. */
export const tokenIds = (g: GraphBuilder, vocabulary: number): string => g.input('ids', { kind: 'ids', below: vocabulary });

export interface RotaryVariant {
  /** Order of rotary pairs in this architecture's GGUF files. */
  style: RopeStyle;
  /** RMSNorm of each query and key head before the rotation (Qwen 3). */
  headNorm: boolean;
}

/**
 * The decoder that llama, Mistral and Qwen share: pre-norm blocks of grouped-query attention with rotary positions
 * and a SwiGLU feed-forward (Touvron et al. 2023; Shazeer 2020).
 */
export function rotaryDecoder(g: GraphBuilder, h: Hyperparameters, variant: RotaryVariant): Network {
  const shape = readShape(h);
  const { embedding, layers, heads, kvHeads, headDim, vocabulary } = shape;
  const scaling = readRope(h, shape), style = readRopeStyle(h, variant.style);
  const epsilon = h.real('attention.layer_norm_rms_epsilon', 1e-5);
  const headNorm = (x: Value, weight: string, count: number) => (variant.headNorm ? rmsnorm(g, x, weight, epsilon, count) : x);
  const turn = (x: Value, count: number) => rope(g, x, count, headDim, scaling, style);

  let x = lookUp(g, tokenIds(g, vocabulary), 'token_embd.weight', embedding, vocabulary);
  for (let layer = 0; layer < layers; layer++) {
    const name = `blk.${layer}`;
    g.within(name);
    const normed = rmsnorm(g, x, `${name}.attn_norm.weight`, epsilon);
    // Products side by side, so that threads need not meet between them.
    const k = linear(g, normed, `${name}.attn_k`, kvHeads * headDim);
    const v = linear(g, normed, `${name}.attn_v`, kvHeads * headDim);
    const q = linear(g, normed, `${name}.attn_q`, heads * headDim);
    const keys = turn(headNorm(k, `${name}.attn_k_norm.weight`, kvHeads), kvHeads);
    const mixed = attention(g, turn(headNorm(q, `${name}.attn_q_norm.weight`, heads), heads), keys, v, { heads, kvHeads, headDim, window: windowOf(shape, layer) });
    x = add(g, x, linear(g, mixed, `${name}.attn_output`, embedding), 'attn_residual');
    x = add(g, x, swiglu(g, rmsnorm(g, x, `${name}.ffn_norm.weight`, epsilon), name, shape), 'output');
  }
  g.within('');
  const logits = product(g, rmsnorm(g, x, 'output_norm.weight', epsilon), outputWeight(g), vocabulary);
  return { graph: g.finish({ logits }), layers, context: contextOf(shape, true) };
}

/** Rows that attention sees in a layer; undefined: all. */
export const windowOf = ({ slidingWindow, slides }: Shape, layer: number): number | undefined => (slides(layer) ? slidingWindow : undefined);

export const contextOf = ({ context, slidingWindow }: Shape, stretches: boolean): ContextLimits => ({ trained: context, stretches, slidingWindow });

function swiglu(g: GraphBuilder, x: Value, name: string, { feedForward, embedding }: Shape): Value {
  const gate = linear(g, x, `${name}.ffn_gate`, feedForward);
  const up = linear(g, x, `${name}.ffn_up`, feedForward);
  return linear(g, glu(g, gate, up, 'silu'), `${name}.ffn_down`, embedding);
}
