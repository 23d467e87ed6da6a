import { graphShape, outputWeight } from './blocks.js';
import type { Architecture } from './architecture.js';
import { readShape } from './hyperparameters.js';

/** GPT-2 (Radford et al. 2019): learned positions, LayerNorm, one fused query-key-value projection, GELU (tanh form). */
export const gpt2: Architecture = (g, h) => {
  const shape = readShape(h);
  const { embedding, feedForward, vocabulary } = shape;
  const epsilon = h.real('attention.layer_norm_epsilon', 1e-5);
  const norm = (x: Parameters<typeof g.head>[0], name: string) => g.layernorm(x, `${name}.weight`, `${name}.bias`, epsilon);

  const tokens = g.embed('tokens', 'token_embd.weight', embedding, vocabulary);
  let x = g.add(tokens, g.embed('positions', 'position_embd.weight', embedding, shape.context), 'embd');
  for (let layer = 0; layer < shape.layers; layer++) {
    const name = `blk.${layer}`;
    g.within(name);
    const last = layer === shape.layers - 1;
    const qkv = g.linear(norm(x, `${name}.attn_norm`), `${name}.attn_qkv`, 3 * embedding);
    const part = (i: number, label: string) => g.slice(qkv, i * embedding, embedding, label);
    g.store(part(1, 'k'), part(2, 'v'), { layer, ...shape });
    const q = part(0, 'q');
    const mixed = g.attention(last ? g.head(q) : q, { layer, ...shape });
    x = g.add(last ? g.head(x) : x, g.linear(mixed, `${name}.attn_output`, embedding), 'attn_residual');
    const hidden = g.activation(g.linear(norm(x, `${name}.ffn_norm`), `${name}.ffn_up`, feedForward), 'gelu');
    x = g.add(x, g.linear(hidden, `${name}.ffn_down`, embedding), 'output');
  }
  g.within('');
  const logits = g.logits(norm(x, 'output_norm'), outputWeight(g), vocabulary);
  return g.finish(logits, { ...graphShape(shape), rope: undefined });
};
