// What Hugging Face's folders call things: one form per architecture, and what the rotary families share.
import { ropeEntries } from '../files/huggingface-rope.js';
import { type Config, insist, real, size } from '../files/huggingface-values.js';
import { badFile, show, unsupported } from '../files/refuse.js';
import type { MetadataValue } from '../files/types.js';

/** Values under GGUF's keys, without the architecture. */
export type Entries = Record<string, MetadataValue | undefined>;

/** What transformers' configuration class of a `model_type` says where config.json leaves it out. */
export interface Family {
  readonly context: number;
  readonly kvHeads?: number;
  readonly headDim?: number;
  /** What has a bias, by GGUF's names without the block. */
  readonly biases: (config: Config) => readonly string[];
  /** Tokens that a sliding window sees; null: all. */
  readonly window?: (config: Config) => unknown;
  /** In which layers it holds; all by default. */
  readonly slides?: (config: Config) => readonly boolean[];
}

/** How Hugging Face stores the models of an architecture. */
export interface StoredForm {
  /** By `model_type`. */
  readonly families: Readonly<Record<string, Family>>;
  /** Of transformers, for writing. */
  readonly className: string;
  /** Whether the output layer is the embedding where config.json says nothing. */
  readonly tied: boolean;
  /** Names of tensors there and in GGUF: outside of blocks, and within one. */
  readonly top: Readonly<Record<string, string>>;
  readonly layer: Readonly<Record<string, string>>;
  /** What stands before the names: of the model, of its blocks. */
  readonly root: string;
  readonly blocks: string;
  /** Matrices of blocks are stored [inputs][outputs] (GPT-2's Conv1D) instead of [outputs][inputs]. */
  readonly transposed: boolean;
  /** Rotary pairs are two halves of a head there, and neighbours in GGUF. */
  readonly halves: boolean;
  /** config.json to GGUF's keys. @throws StonechatError for variants. */
  entries(config: Config, family: Family): Entries;
  /** The other way. */
  config(keys: Keys, names: ReadonlySet<string>): Config;
}

/** Numbers under `<architecture>.<key>`. */
export class Keys {
  constructor(
    readonly metadata: ReadonlyMap<string, MetadataValue | undefined>,
    readonly architecture: string,
  ) {}

  raw(key: string): MetadataValue | undefined {
    return this.metadata.get(`${this.architecture}.${key}`);
  }

  optional(key: string): number | undefined {
    const value = this.raw(key);
    return value === undefined ? undefined : decimal(Number(value));
  }

  number(key: string): number {
    const value = this.optional(key);
    if (value !== undefined && Number.isFinite(value)) return value;
    throw badFile(`metadata ${this.architecture}.${key}`, show(this.raw(key)));
  }

  headDim(): number {
    return this.optional('attention.key_length') ?? this.number('embedding_length') / this.number('attention.head_count');
  }
}

/** The shortest decimal that rounds to the same f32: 1e-6, not 9.999999974752427e-7. */
function decimal(value: number): number {
  if (Number.isInteger(value) || Math.fround(value) !== value) return value;
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}

// Rotary families

export const ATTENTION = ['attn_q', 'attn_k', 'attn_v', 'attn_output'];
export const FEED_FORWARD = ['ffn_gate', 'ffn_up', 'ffn_down'];

/** Qwen's: of the layers from `max_window_layers` on, or of those that `layer_types` names. */
export const QWEN_WINDOW = { window: windowOfSome, slides: slidingLayers } as const;

function windowOfSome(config: Config): unknown {
  if (config.use_sliding_window !== true || !slidingLayers(config).includes(true)) return null;
  return 'sliding_window' in config ? config.sliding_window : 4096;
}

function slidingLayers(config: Config): boolean[] {
  const types = config.layer_types, layers = size(config, 'num_hidden_layers');
  if (types === undefined || types === null) return Array.from({ length: layers }, (_, layer) => layer >= real(config, 'max_window_layers', 28));
  if (Array.isArray(types) && types.length === layers && types.every((type) => ['full_attention', 'attention', 'sliding_attention'].includes(type as string))) return types.map((type) => type === 'sliding_attention');
  throw unsupported('layer_types full_attention and sliding_attention in config.json, one for each layer', show(types), 'This variant of the architecture is not implemented; use another model.');
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
/** What they have in common. */
export const ROTARY = {
  tied: false, top: ROTARY_TOP, layer: ROTARY_LAYER, root: 'model.', blocks: 'layers.', transposed: false, halves: false, entries: rotaryEntries, config: rotaryConfig,
} as const satisfies Partial<StoredForm>;

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
    ...windowEntries(family, config),
    vocab_size: size(config, 'vocab_size'),
    ...ropeEntries(config, headDim, context),
  };
}

function windowEntries({ window: windowOf, slides }: Family, config: Config): Entries {
  const window = windowOf?.(config), pattern = slides?.(config);
  if (window === undefined || window === null) return {};
  if (typeof window !== 'number' || !Number.isSafeInteger(window) || window < 1) throw badFile('a whole number sliding_window in config.json', show(window), 'Use the config.json that belongs to the model.');
  return { 'attention.sliding_window': window, 'attention.sliding_window_pattern': pattern?.includes(false) ? pattern : undefined };
}

function rotaryConfig(keys: Keys, names: ReadonlySet<string>): Config {
  const heads = keys.number('attention.head_count');
  const dims = keys.optional('rope.dimension_count') ?? keys.headDim();
  if (dims !== keys.headDim()) throw unsupported('rotation of whole heads', `${dims} of ${keys.headDim()} dimensions`, 'Hugging Face has no form of this variant: keep it as GGUF.');
  return {
    hidden_size: keys.number('embedding_length'), intermediate_size: keys.number('feed_forward_length'), num_hidden_layers: keys.number('block_count'),
    num_attention_heads: heads, num_key_value_heads: keys.optional('attention.head_count_kv') ?? heads, head_dim: keys.headDim(), hidden_act: 'silu',
    max_position_embeddings: keys.number('context_length'), rms_norm_eps: keys.optional('attention.layer_norm_rms_epsilon') ?? 1e-5,
    rope_theta: keys.optional('rope.freq_base') ?? 10000, rope_scaling: scalingOf(keys), attention_bias: names.has('blk.0.attn_q.bias'), mlp_bias: names.has('blk.0.ffn_up.bias'),
    ...windowOf(keys, names),
  };
}

/** A sliding window: Mistral's where the architecture is llama, Qwen's on every layer. */
function windowOf(keys: Keys, names: ReadonlySet<string>): Config {
  const window = keys.optional('attention.sliding_window');
  if (!window) return {};
  const pattern = keys.raw('attention.sliding_window_pattern') as readonly boolean[] | undefined;
  if (keys.architecture !== 'llama') {
    const layers = pattern ? { layer_types: pattern.map((slides) => (slides ? 'sliding_attention' : 'full_attention')) } : { max_window_layers: 0 };
    return { use_sliding_window: true, sliding_window: window, ...layers };
  }
  if (pattern?.includes(false)) throw unsupported('a sliding window in every layer', 'one in some', 'Hugging Face has no form of this variant: keep it as GGUF.');
  if (names.has('blk.0.attn_q.bias') || names.has('blk.0.ffn_up.bias')) throw unsupported('a sliding window without biases', 'both', 'Hugging Face has no form of this variant: keep it as GGUF.');
  return { architectures: ['MistralForCausalLM'], model_type: 'mistral', sliding_window: window };
}

/** `rope_scaling`; null: none. */
function scalingOf(keys: Keys): Config | null {
  const type = keys.raw('rope.scaling.type');
  if (type === undefined || type === 'none') return null;
  const numbers = {
    factor: 'factor', original_max_position_embeddings: 'original_context_length', low_freq_factor: 'low_freq_factor', high_freq_factor: 'high_freq_factor',
    attention_factor: 'attention_factor', beta_fast: 'yarn_beta_fast', beta_slow: 'yarn_beta_slow',
  };
  const found = Object.entries(numbers).map(([name, key]) => [name, keys.optional(`rope.scaling.${key}`)] as const).filter(([, value]) => value !== undefined);
  const relative = keys.optional('rope.scaling.attn_factor') ?? 1, factor = keys.optional('rope.scaling.factor') ?? 1;
  // To nine digits, since logarithms differ in the last one from engine to engine.
  const attention = type === 'yarn' && relative !== 1 ? { attention_factor: Number((relative * (1 + 0.1 * Math.log(Math.max(1, factor)))).toPrecision(9)) } : {};
  return { rope_type: type, ...attention, ...Object.fromEntries(found) };
}

