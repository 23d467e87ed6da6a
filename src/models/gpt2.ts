import type { Value } from '../graph/node.js';
import { activate } from '../ops/activation.js';
import { add } from '../ops/add.js';
import { attention } from '../ops/attention.js';
import { lookUp } from '../ops/embed.js';
import { linear, product } from '../ops/linear.js';
import { layernorm } from '../ops/norms.js';
import { type Config, insist, real, size } from '../files/huggingface-values.js';
import type { Architecture } from './architecture.js';
import { contextOf, outputWeight, tokenIds } from './blocks.js';
import { readShape } from './hyperparameters.js';
import type { Entries, Keys, StoredForm } from './stored.js';
import { decoderWeights, EPSILON, matrix, type ModelConfig, norm as normWeights, residual, type TrainedForm, transformerKeys, vector, type WeightShape } from './trained.js';

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

// As Hugging Face stores it

const GPT2_TOP: Readonly<Record<string, string>> = { wte: 'token_embd', wpe: 'position_embd', ln_f: 'output_norm', lm_head: 'output' };
const GPT2_LAYER: Readonly<Record<string, string>> = {
  ln_1: 'attn_norm',
  'attn.c_attn': 'attn_qkv',
  'attn.c_proj': 'attn_output',
  ln_2: 'ffn_norm',
  'mlp.c_fc': 'ffn_up',
  'mlp.c_proj': 'ffn_down',
};

export const gpt2Stored: StoredForm = {
  families: { gpt2: { context: 1024, biases: () => Object.values(GPT2_LAYER).concat('output_norm') } },
  className: 'GPT2LMHeadModel', tied: true, top: GPT2_TOP, layer: GPT2_LAYER, root: 'transformer.', blocks: 'h.', transposed: true, halves: false, entries: gpt2Entries, config: gpt2Config,
};

function gpt2Entries(config: Config): Entries {
  insist(config, 'activation_function', ['gelu_new', 'gelu_pytorch_tanh', 'gelu_fast']);
  insist(config, 'scale_attn_weights', [true]);
  insist(config, 'scale_attn_by_inverse_layer_idx', [false]);
  insist(config, 'add_cross_attention', [false]);
  /** GPT-2's own names, and those that other families have for the same. */
  const either = (own: string, other: string, fallback: number) => size(config, other, size(config, own, fallback));
  const embedding = either('n_embd', 'hidden_size', 768);
  return {
    context_length: either('n_positions', 'max_position_embeddings', size(config, 'n_ctx', 1024)),
    embedding_length: embedding,
    block_count: either('n_layer', 'num_hidden_layers', 12),
    feed_forward_length: size(config, 'n_inner', 4 * embedding),
    'attention.head_count': either('n_head', 'num_attention_heads', 12),
    'attention.layer_norm_epsilon': real(config, 'layer_norm_epsilon', 1e-5),
    vocab_size: size(config, 'vocab_size', 50257),
  };
}

function gpt2Config(keys: Keys): Config {
  const [embedding, context] = [keys.number('embedding_length'), keys.number('context_length')];
  const inner = keys.number('feed_forward_length');
  return {
    n_embd: embedding, n_layer: keys.number('block_count'), n_head: keys.number('attention.head_count'), n_positions: context, n_ctx: context,
    n_inner: inner === 4 * embedding ? null : inner, layer_norm_epsilon: keys.optional('attention.layer_norm_epsilon') ?? 1e-5, activation_function: 'gelu_new',
    attn_pdrop: 0, embd_pdrop: 0, resid_pdrop: 0,
  };
}

// As it begins to be trained

export const gpt2Trained: TrainedForm = {
  keys: (config) => ({ ...transformerKeys(config), 'attention.layer_norm_epsilon': EPSILON }),
  weights(config) {
    const positions = matrix('position_embd.weight', config.embedding, config.context);
    const table = config.positions === 'sinusoidal' ? { ...positions, init: 'sinusoids' as const } : positions;
    return decoderWeights(config, gpt2Block, { bias: true, more: [table] });
  },
};

function gpt2Block(config: ModelConfig, name: string): WeightShape[] {
  const { embedding, feedForward } = config;
  const linear = (stem: string, columns: number, rows: number, deviation?: number) => [matrix(`${name}.${stem}.weight`, columns, rows, deviation), vector(`${name}.${stem}.bias`, rows, 0)];
  return [
    ...normWeights(`${name}.attn_norm`, embedding, true),
    ...linear('attn_qkv', embedding, 3 * embedding),
    ...linear('attn_output', embedding, embedding, residual(config)),
    ...normWeights(`${name}.ffn_norm`, embedding, true),
    ...linear('ffn_up', embedding, feedForward),
    ...linear('ffn_down', feedForward, embedding, residual(config)),
  ];
}

