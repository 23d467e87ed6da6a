import type { Value } from '../graph/node.js';
import { activate } from '../ops/activation.js';
import { add } from '../ops/add.js';
import { attention } from '../ops/attention.js';
import { lookUp } from '../ops/embed.js';
import { linear, product } from '../ops/linear.js';
import { layernorm } from '../ops/norms.js';
import type { Architecture } from './architecture.js';
import { contextOf, outputWeight, tokenIds } from './blocks.js';
import { readShape } from './hyperparameters.js';

/** GPT-2 (Radford et al. 2019): learned positions, LayerNorm, one fused query-key-value projection, GELU (tanh form). */
export const gpt2: Architecture = (g, h) => {
  const shape = readShape(h);
  const { embedding, feedForward, layers, vocabulary } = shape;
  const epsilon = h.real('attention.layer_norm_epsilon', 1e-5);
  const norm = (x: Value, name: string) => layernorm(g, x, `${name}.weight`, `${name}.bias`, epsilon);

  const tokens = lookUp(g, tokenIds(g, vocabulary), 'token_embd.weight', embedding, vocabulary);
  const positions = g.input('positions', { kind: 'positions' });
  let x = add(g, tokens, lookUp(g, positions, 'position_embd.weight', embedding, shape.context), 'embd');
  for (let layer = 0; layer < layers; layer++) {
    const name = `blk.${layer}`;
    g.within(name);
    const qkv = linear(g, norm(x, `${name}.attn_norm`), `${name}.attn_qkv`, 3 * embedding);
    const [q, k, v] = ['q', 'k', 'v'].map((label, i) => g.slice(qkv, i * embedding, embedding, label)) as [Value, Value, Value];
    x = add(g, x, linear(g, attention(g, q, k, v, shape), `${name}.attn_output`, embedding), 'attn_residual');
    const hidden = activate(g, linear(g, norm(x, `${name}.ffn_norm`), `${name}.ffn_up`, feedForward), 'gelu');
    x = add(g, x, linear(g, hidden, `${name}.ffn_down`, embedding), 'output');
  }
  g.within('');
  const logits = product(g, norm(x, 'output_norm'), outputWeight(g), vocabulary);
  return { graph: g.finish({ logits }), layers, context: contextOf(shape, false) };
};
