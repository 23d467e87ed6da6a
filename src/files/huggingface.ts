import { ropeEntries } from './huggingface-rope.js';
import { type Config, insist, real, size } from './huggingface-values.js';
import { badFile, quote, show, unsupported } from './refuse.js';
import type { MetadataValue } from './types.js';

export type { Config } from './huggingface-values.js';

/** Hugging Face `model_type` -> what transformers' configuration class of that name says. */
const FAMILIES: Readonly<Record<string, Family>> = {
  llama: { architecture: 'llama', context: 2048, biases: (config) => [...(config.attention_bias ? ATTENTION : []), ...(config.mlp_bias ? FEED_FORWARD : [])] },
  mistral: { architecture: 'llama', context: 131072, kvHeads: 8, biases: () => [], window: (config) => ('sliding_window' in config ? config.sliding_window : 4096) },
  qwen2: { architecture: 'qwen2', context: 32768, kvHeads: 32, biases: () => ATTENTION.slice(0, 3), window: windowOfSome },
  qwen3: { architecture: 'qwen3', context: 32768, kvHeads: 32, headDim: 128, biases: (config) => (config.attention_bias ? ATTENTION : []), window: windowOfSome },
  gpt2: { architecture: 'gpt2', context: 1024, biases: () => Object.values(GPT2_LAYER).concat('output_norm') },
};
const ATTENTION = ['attn_q', 'attn_k', 'attn_v', 'attn_output'];
const FEED_FORWARD = ['ffn_gate', 'ffn_up', 'ffn_down'];

interface Family {
  readonly architecture: string;
  /** Where config.json leaves them out. */
  readonly context: number;
  readonly kvHeads?: number;
  readonly headDim?: number;
  /** What has a bias. */
  readonly biases: (config: Config) => readonly string[];
  /** Tokens that a sliding window sees; null: all. */
  readonly window?: (config: Config) => unknown;
}

/** Qwen's: of the layers from `max_window_layers` on, or of those that `layer_types` names. */
function windowOfSome(config: Config): unknown {
  const types = config.layer_types;
  if (types !== undefined && types !== null && !(Array.isArray(types) && types.every((type) => ['full_attention', 'attention', 'sliding_attention'].includes(type as string)))) {
    throw unsupported('layer_types full_attention and sliding_attention in config.json', show(types), 'This variant of the architecture is not implemented; use another model.');
  }
  const slides = Array.isArray(types) ? types.includes('sliding_attention') : size(config, 'num_hidden_layers') > real(config, 'max_window_layers', 28);
  if (config.use_sliding_window !== true || !slides) return null;
  return 'sliding_window' in config ? config.sliding_window : 4096;
}

/** What other families compute with: where a file of these has it, it is a variant that is not implemented. */
const FOREIGN: Readonly<Record<string, readonly unknown[]>> = {
  attn_logit_softcapping: [], final_logit_softcapping: [], query_pre_attn_scalar: [], attention_multiplier: [], clip_qkv: [], attention_chunk_size: [], no_rope_layers: [],
  logit_scale: [1], logits_scaling: [1], embedding_multiplier: [1], residual_multiplier: [1], qk_layernorm: [false], use_qk_norm: [false], alibi: [false],
  parallel_attn: [false], use_parallel_residual: [false], rope_interleaved: [false], rope_interleave: [false],
  num_experts: [0, 1], num_local_experts: [0, 1], n_routed_experts: [0], is_encoder_decoder: [false],
};

/** What config.json says. */
export interface Translated {
  readonly architecture: string;
  readonly metadata: Map<string, MetadataValue>;
  /** What has a bias, by GGUF's names without the block. */
  readonly biases: readonly string[];
  /** The output layer is the embedding. */
  readonly tied: boolean;
}

/** config.json under GGUF's keys. @throws StonechatError `unsupported` model_type, activation, rope scaling; `bad-file`. */
export function translateConfig(config: Config): Translated {
  const type = config.model_type;
  const family = typeof type === 'string' && Object.hasOwn(FAMILIES, type) ? FAMILIES[type]! : undefined;
  if (!family) throw unsupported(`model_type ${Object.keys(FAMILIES).join(', ')} in config.json`, show(type), 'Use a model of one of these families.');
  const { architecture } = family, tied = config.tie_word_embeddings;
  for (const [key, usual] of Object.entries(FOREIGN)) insist(config, key, usual);
  const entries = architecture === 'gpt2' ? gpt2Entries(config) : rotaryEntries(config, family);
  const metadata = new Map<string, MetadataValue>([['general.architecture', architecture]]);
  for (const [key, value] of Object.entries(entries)) if (value !== undefined) metadata.set(`${architecture}.${key}`, value);
  // Hugging Face keeps rotary pairs as two halves of a head; GGUF's llama files interleave them.
  if (architecture === 'llama') metadata.set('stonechat.rope.style', 'neox');
  for (const name of ['bos', 'eos']) {
    const value = config[`${name}_token_id`];
    const id: unknown = Array.isArray(value) ? value[0] : value;
    if (Number.isInteger(id)) metadata.set(`tokenizer.ggml.${name}_token_id`, id as number);
  }
  return { architecture, metadata, biases: family.biases(config), tied: typeof tied === 'boolean' ? tied : architecture === 'gpt2' };
}

type Entries = Record<string, MetadataValue | undefined>;

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

function rotaryEntries(config: Config, family: Family): Entries {
  insist(config, 'hidden_act', ['silu', 'swish']);
  const heads = size(config, 'num_attention_heads');
  const embedding = size(config, 'hidden_size');
  const headDim = size(config, 'head_dim', family.headDim ?? Math.max(1, Math.floor(embedding / heads)));
  const kvHeads = 'num_key_value_heads' in config ? heads : (family.kvHeads ?? heads); // null is as many as heads, nothing the class's own
  const context = size(config, 'max_position_embeddings', family.context);
  return {
    context_length: context,
    embedding_length: embedding,
    block_count: size(config, 'num_hidden_layers'),
    feed_forward_length: size(config, 'intermediate_size'),
    'attention.head_count': heads,
    'attention.head_count_kv': size(config, 'num_key_value_heads', kvHeads),
    'attention.key_length': headDim,
    'attention.value_length': headDim,
    'attention.layer_norm_rms_epsilon': real(config, 'rms_norm_eps', 1e-6),
    'attention.sliding_window': windowEntry(family.window?.(config)),
    vocab_size: size(config, 'vocab_size'),
    ...ropeEntries(config, headDim, context),
  };
}

function windowEntry(window: unknown): number | undefined {
  if (window === undefined || window === null) return undefined;
  if (typeof window === 'number' && Number.isSafeInteger(window) && window >= 1) return window;
  throw badFile('a whole number sliding_window in config.json', show(window), 'Use the config.json that belongs to the model.');
}

export interface TargetName {
  /** GGUF name. */
  readonly name: string;
  /** Stored [inputs][outputs] (GPT-2's Conv1D) instead of [outputs][inputs]. */
  readonly transposed: boolean;
}

const ROTARY_TOP: Readonly<Record<string, string>> = { embed_tokens: 'token_embd', norm: 'output_norm', lm_head: 'output' };
const ROTARY_LAYER: Readonly<Record<string, string>> = {
  input_layernorm: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  post_attention_layernorm: 'ffn_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};
const GPT2_TOP: Readonly<Record<string, string>> = { wte: 'token_embd', wpe: 'position_embd', ln_f: 'output_norm', lm_head: 'output' };
const GPT2_LAYER: Readonly<Record<string, string>> = {
  ln_1: 'attn_norm',
  'attn.c_attn': 'attn_qkv',
  'attn.c_proj': 'attn_output',
  ln_2: 'ffn_norm',
  'mlp.c_fc': 'ffn_up',
  'mlp.c_proj': 'ffn_down',
};

/** Buffers that checkpoints carry along: masks and tables, no weights. */
const isBuffer = (name: string): boolean => /\.attn\.(bias|masked_bias)$|rotary_emb\.inv_freq$/.test(name);

/** The GGUF name of a Hugging Face tensor; undefined for what is no weight. @throws StonechatError `unsupported` for unknown names. */
export function translateName(name: string, architecture: string): TargetName | undefined {
  if (isBuffer(name)) return undefined;
  const gpt2 = architecture === 'gpt2';
  const [, path, kind] = /^(?:model\.|transformer\.)?(.+)\.(weight|bias)$/.exec(name) ?? [];
  const [, layer, part] = /^(?:layers|h)\.(\d{1,4})\.(.+)$/.exec(path ?? '') ?? [];
  const table = part ? (gpt2 ? GPT2_LAYER : ROTARY_LAYER) : gpt2 ? GPT2_TOP : ROTARY_TOP;
  const key = part ?? path ?? '';
  if (!Object.hasOwn(table, key)) {
    throw unsupported(`only tensors of the ${architecture} architecture`, quote(name), 'This is a variant (adapter, quantised or mixture-of-experts weights?) that is not implemented.');
  }
  const prefix = layer === undefined ? '' : `blk.${Number(layer)}.`;
  return { name: `${prefix}${table[key]}.${kind}`, transposed: gpt2 && kind === 'weight' && /^(attn|mlp)\./.test(key) };
}

const invert = (table: Readonly<Record<string, string>>): ReadonlyMap<string, string> => new Map(Object.entries(table).map(([stored, name]) => [name, stored]));
const STORED = { rotaryTop: invert(ROTARY_TOP), rotaryLayer: invert(ROTARY_LAYER), gpt2Top: invert(GPT2_TOP), gpt2Layer: invert(GPT2_LAYER) };

/** The other way: the name that transformers' save_pretrained gives; undefined for what it has no name for. */
export function storedName(name: string, architecture: string): TargetName | undefined {
  const gpt2 = architecture === 'gpt2';
  const [, layer, part, kind] = /^(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)$/.exec(name) ?? [];
  const table = layer === undefined ? STORED[gpt2 ? 'gpt2Top' : 'rotaryTop'] : STORED[gpt2 ? 'gpt2Layer' : 'rotaryLayer'];
  const stored = table.get(part ?? '');
  if (stored === undefined) return undefined;
  const root = stored === 'lm_head' ? '' : gpt2 ? 'transformer.' : 'model.';
  const place = layer === undefined ? '' : gpt2 ? `h.${layer}.` : `layers.${layer}.`;
  return { name: `${root}${place}${stored}.${kind}`, transposed: gpt2 && kind === 'weight' && /^(attn|mlp)\./.test(stored) };
}
