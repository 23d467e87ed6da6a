import { badFile, quote, show, unsupported } from './refuse.js';
import type { MetadataValue } from './types.js';

/** A parsed config.json. */
export type Config = Readonly<Record<string, unknown>>;

/** Hugging Face `model_type` -> GGUF `general.architecture`. */
const ARCHITECTURES: Readonly<Record<string, string>> = { llama: 'llama', mistral: 'llama', qwen2: 'qwen2', qwen3: 'qwen3', gpt2: 'gpt2' };

const isObject = (value: unknown): value is Config => typeof value === 'object' && value !== null && !Array.isArray(value);

function real(config: Config, key: string, fallback?: number): number {
  const value = config[key] ?? fallback;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw badFile(`a number ${key} in config.json`, show(value), 'Use the config.json that belongs to the model.');
}

function size(config: Config, key: string, fallback?: number): number {
  const value = real(config, key, fallback);
  if (Number.isInteger(value) && value >= 1 && value < 2 ** 31) return value;
  throw badFile(`a whole number ${key} in config.json`, show(value), 'Use the config.json that belongs to the model.');
}

/** Settings that would change the computation in a way that is not implemented must have their usual value. */
function insist(config: Config, key: string, usual: readonly unknown[]): void {
  const value = config[key];
  if (value === undefined || value === null || usual.includes(value)) return;
  throw unsupported(`${key} ${usual.join(' or ')} in config.json`, show(value), 'This variant of the architecture is not implemented; use another model.');
}

/** config.json under GGUF's keys. @throws StonechatError `unsupported` model_type, activation, rope scaling; `bad-file`. */
export function translateConfig(config: Config): { architecture: string; metadata: Map<string, MetadataValue> } {
  const type = config.model_type;
  const architecture = typeof type === 'string' && Object.hasOwn(ARCHITECTURES, type) ? ARCHITECTURES[type]! : undefined;
  if (!architecture) throw unsupported(`model_type ${Object.keys(ARCHITECTURES).join(', ')} in config.json`, show(type), 'Use a model of one of these families.');
  const entries = architecture === 'gpt2' ? gpt2Entries(config) : rotaryEntries(config, architecture);
  const metadata = new Map<string, MetadataValue>([['general.architecture', architecture]]);
  for (const [key, value] of Object.entries(entries)) if (value !== undefined) metadata.set(`${architecture}.${key}`, value);
  // Hugging Face keeps rotary pairs as two halves of a head; GGUF's llama files interleave them.
  if (architecture === 'llama') metadata.set('stonechat.rope.style', 'neox');
  for (const name of ['bos', 'eos']) {
    const value = config[`${name}_token_id`];
    const id: unknown = Array.isArray(value) ? value[0] : value;
    if (Number.isInteger(id)) metadata.set(`tokenizer.ggml.${name}_token_id`, id as number);
  }
  return { architecture, metadata };
}

type Entries = Record<string, MetadataValue | undefined>;

function gpt2Entries(config: Config): Entries {
  insist(config, 'activation_function', ['gelu_new', 'gelu_pytorch_tanh', 'gelu_fast']);
  insist(config, 'scale_attn_weights', [true]);
  insist(config, 'scale_attn_by_inverse_layer_idx', [false]);
  insist(config, 'add_cross_attention', [false]);
  const embedding = size(config, 'n_embd', 768);
  return {
    context_length: size(config, 'n_positions', size(config, 'n_ctx', 1024)),
    embedding_length: embedding,
    block_count: size(config, 'n_layer', 12),
    feed_forward_length: size(config, 'n_inner', 4 * embedding),
    'attention.head_count': size(config, 'n_head', 12),
    'attention.layer_norm_epsilon': real(config, 'layer_norm_epsilon', 1e-5),
    vocab_size: size(config, 'vocab_size', 50257),
  };
}

function rotaryEntries(config: Config, architecture: string): Entries {
  insist(config, 'hidden_act', ['silu', 'swish']);
  const heads = size(config, 'num_attention_heads');
  const embedding = size(config, 'hidden_size');
  const headDim = size(config, 'head_dim', architecture === 'qwen3' ? 128 : Math.max(1, Math.floor(embedding / heads)));
  const window = config.use_sliding_window === false ? undefined : config.sliding_window;
  return {
    context_length: size(config, 'max_position_embeddings', 2048),
    embedding_length: embedding,
    block_count: size(config, 'num_hidden_layers'),
    feed_forward_length: size(config, 'intermediate_size'),
    'attention.head_count': heads,
    'attention.head_count_kv': size(config, 'num_key_value_heads', heads),
    'attention.key_length': headDim,
    'attention.value_length': headDim,
    'attention.layer_norm_rms_epsilon': real(config, 'rms_norm_eps', 1e-6),
    'attention.sliding_window': typeof window === 'number' ? window : undefined,
    vocab_size: size(config, 'vocab_size'),
    ...ropeEntries(config, headDim),
  };
}

/** `rope_theta` and `rope_scaling`; since transformers 5 both inside `rope_parameters`. */
function ropeEntries(config: Config, headDim: number): Entries {
  const rope = isObject(config.rope_parameters) ? config.rope_parameters : {};
  const scaling = isObject(config.rope_scaling) ? config.rope_scaling : rope;
  const partial = real(rope, 'partial_rotary_factor', real(config, 'partial_rotary_factor', 1));
  return {
    'rope.freq_base': real(rope, 'rope_theta', real(config, 'rope_theta', 10000)),
    'rope.dimension_count': Math.floor(headDim * partial),
    ...scalingEntries(scaling),
  };
}

function scalingEntries(scaling: Config): Entries {
  const type = scaling.rope_type ?? scaling.type ?? 'default';
  if (type === 'default') return {};
  const optional = (key: string) => (scaling[key] === undefined || scaling[key] === null ? undefined : real(scaling, key));
  const common = {
    'rope.scaling.type': String(type),
    'rope.scaling.factor': real(scaling, 'factor'),
    'rope.scaling.original_context_length': optional('original_max_position_embeddings'),
  };
  if (type === 'linear') return common;
  if (type === 'llama3') {
    return { ...common, 'rope.scaling.low_freq_factor': real(scaling, 'low_freq_factor'), 'rope.scaling.high_freq_factor': real(scaling, 'high_freq_factor') };
  }
  if (type === 'yarn') {
    return {
      ...common,
      'rope.scaling.attention_factor': optional('attention_factor'),
      'rope.scaling.yarn_beta_fast': optional('beta_fast'),
      'rope.scaling.yarn_beta_slow': optional('beta_slow'),
    };
  }
  throw unsupported('rope scaling default, linear, llama3 or yarn in config.json', show(type), 'Use a model with one of these.');
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
