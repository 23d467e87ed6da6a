import type { Architecture } from './architecture.js';
import { rotaryDecoder } from './blocks.js';
import { ATTENTION, FEED_FORWARD, ROTARY, type StoredForm } from './stored.js';
import { decoderWeights, EPSILON, matrix, type ModelConfig, norm, residual, type TrainedForm, transformerKeys, type WeightShape } from './trained.js';

/** Llama 1 to 3.x, Mistral, SmolLM2, TinyLlama, llama2.c stories: Touvron et al. 2023, arXiv:2302.13971. */
export const llama: Architecture = (g, h) => rotaryDecoder(g, h, { style: 'interleaved', headNorm: false });

// As Hugging Face stores it

export const llamaStored: StoredForm = {
  ...ROTARY,
  families: {
    llama: { context: 2048, biases: (config) => [...(config.attention_bias ? ATTENTION : []), ...(config.mlp_bias ? FEED_FORWARD : [])] },
    mistral: { context: 131072, kvHeads: 8, biases: () => [], window: (config) => ('sliding_window' in config ? config.sliding_window : 4096) },
  },
  className: 'LlamaForCausalLM',
  halves: true,
};

// As it begins to be trained

export const llamaTrained: TrainedForm = {
  keys: (config) => ({
    ...transformerKeys(config),
    'attention.head_count_kv': config.kvHeads,
    'attention.layer_norm_rms_epsilon': EPSILON,
    'rope.dimension_count': config.embedding / config.heads,
    'rope.freq_base': config.ropeBase,
  }),
  weights: (config) => decoderWeights(config, llamaBlock, { bias: false }),
};

function llamaBlock(config: ModelConfig, name: string): WeightShape[] {
  const { embedding, heads, kvHeads, feedForward } = config;
  const kv = (embedding / heads) * kvHeads;
  return [
    ...norm(`${name}.attn_norm`, embedding, false),
    matrix(`${name}.attn_q.weight`, embedding, embedding),
    matrix(`${name}.attn_k.weight`, embedding, kv),
    matrix(`${name}.attn_v.weight`, embedding, kv),
    matrix(`${name}.attn_output.weight`, embedding, embedding, residual(config)),
    ...norm(`${name}.ffn_norm`, embedding, false),
    matrix(`${name}.ffn_gate.weight`, embedding, feedForward),
    matrix(`${name}.ffn_up.weight`, embedding, feedForward),
    matrix(`${name}.ffn_down.weight`, feedForward, embedding, residual(config)),
  ];
}
