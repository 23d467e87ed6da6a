import { LAYOUTS, tensorBytes } from './dtypes.js';
import type { GgufContent, WrittenTensor } from './gguf-writer.js';
import { type Config, storedName } from './huggingface.js';
import { badFile, show, unsupported } from './refuse.js';
import { isRotary, reordered, rowInPairs } from './row-order.js';
import type { SafeTensor } from './safetensors-writer.js';
import { transpose } from './safetensors.js';
import type { MetadataValue } from './types.js';

export interface HuggingFaceModel {
  /** config.json */
  readonly config: Config;
  /** For writeSafetensors: Hugging Face's names and order. */
  readonly tensors: readonly SafeTensor[];
}

const CLASSES: Readonly<Record<string, string>> = { llama: 'LlamaForCausalLM', qwen2: 'Qwen2ForCausalLM', qwen3: 'Qwen3ForCausalLM', gpt2: 'GPT2LMHeadModel' };
const DTYPES: Readonly<Record<string, string>> = { f32: 'float32', f16: 'float16', bf16: 'bfloat16' };

/** A model in GGUF's terms as Hugging Face has it. @throws StonechatError `unsupported` for architectures without a form there. */
export function toHuggingFace({ metadata, tensors }: GgufContent): HuggingFaceModel {
  const architecture = String(metadata.get('general.architecture'));
  if (!Object.hasOwn(CLASSES, architecture)) throw unsupported(`one of the architectures ${Object.keys(CLASSES).join(', ')}`, show(architecture), 'Hugging Face has no form of this model: keep it as GGUF.');
  const keys = new Keys(metadata, architecture);
  const names = new Set(tensors.map(({ name }) => name));
  if (names.has('rope_freqs.weight')) throw unsupported('rotary frequencies that config.json can tell', 'a table rope_freqs.weight', 'Convert from the Hugging Face folder that the GGUF file was made of.');
  const matrix = tensors.find(({ name }) => name === 'token_embd.weight');
  const common = {
    architectures: [CLASSES[architecture]], model_type: architecture, torch_dtype: DTYPES[matrix?.type ?? 'f32'], tie_word_embeddings: !names.has('output.weight'),
    vocab_size: matrix?.shape[1], bos_token_id: metadata.get('tokenizer.ggml.bos_token_id'), eos_token_id: metadata.get('tokenizer.ggml.eos_token_id'), use_cache: true,
  };
  const own = architecture === 'gpt2' ? gpt2Config(keys) : rotaryConfig(keys, names);
  const headDim = architecture === 'llama' ? keys.headDim() : 0;
  return { config: Object.fromEntries(Object.entries({ ...common, ...own }).filter(([, value]) => value !== undefined)), tensors: tensors.map((tensor) => toStored(tensor, architecture, headDim)) };
}

/** Numbers under `<architecture>.<key>`. */
class Keys {
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

function gpt2Config(keys: Keys): Config {
  const [embedding, context] = [keys.number('embedding_length'), keys.number('context_length')];
  const inner = keys.number('feed_forward_length');
  return {
    n_embd: embedding, n_layer: keys.number('block_count'), n_head: keys.number('attention.head_count'), n_positions: context, n_ctx: context,
    n_inner: inner === 4 * embedding ? null : inner, layer_norm_epsilon: keys.optional('attention.layer_norm_epsilon') ?? 1e-5, activation_function: 'gelu_new',
    attn_pdrop: 0, embd_pdrop: 0, resid_pdrop: 0,
  };
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
  if (keys.architecture !== 'llama') return { use_sliding_window: true, sliding_window: window, max_window_layers: 0 };
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

function toStored(tensor: WrittenTensor, architecture: string, headDim: number): SafeTensor {
  const { name, type, shape } = tensor;
  const target = storedName(name, architecture);
  if (target === undefined) throw unsupported(`only tensors of the ${architecture} architecture`, show(name), 'This variant has no form there: keep it as GGUF.');
  const total = tensorBytes(type, shape)!;
  const rowMajor = [...shape].reverse();
  if (target.transposed) return { name: target.name, type, shape: [...shape], read: turned(tensor, total) };
  const rows = shape.length > 1 ? shape[1]! : shape[0]!;
  const read = headDim && isRotary(name) ? reordered((offset, into) => tensor.read(offset, into), total, rows, (row) => rowInPairs(row, headDim)) : (offset: number, into: Uint8Array) => tensor.read(offset, into);
  return { name: target.name, type, shape: rowMajor, read };
}

/** Conv1D's [inputs][outputs] from [outputs][inputs]. */
function turned({ shape, type, read }: WrittenTensor, total: number): SafeTensor['read'] {
  let whole: Promise<Uint8Array> | undefined;
  const load = async () => {
    const stored = new Uint8Array(total);
    await read(0, stored);
    return stored;
  };
  return async (offset, into) => {
    whole ??= load();
    transpose(await whole, shape[1]!, shape[0]!, LAYOUTS[type].bytes, offset, into);
    if (offset + into.length >= total) whole = undefined;
  };
}
