import { tensorBytes } from '../../../src/files/dtypes.js';
import { DTYPES, type DType } from '../../../src/files/types.js';
import { type Entry, type Tensor, writeGguf } from './gguf-writer.js';
import { bytesOf, floats, random } from './random.js';
import { type Stored, writeSafetensors } from './safetensors-writer.js';

/** One metadata value of every type. */
export const EVERY_VALUE: Record<string, Entry> = {
  'general.architecture': ['string', 'llama'],
  'general.name': ['string', 'Größe 🐦'],
  'a.u8': ['u8', 255],
  'a.i8': ['i8', -128],
  'a.u16': ['u16', 65535],
  'a.i16': ['i16', -32768],
  'a.u32': ['u32', 4294967295],
  'a.i32': ['i32', -2147483648],
  'a.f32': ['f32', 0.5],
  'a.bool': ['bool', true],
  'a.u64': ['u64', 1n << 40n],
  'a.big': ['u64', (1n << 64n) - 1n],
  'a.i64': ['i64', -5n],
  'a.f64': ['f64', 1e-300],
  'l.strings': ['array', 'string', ['Ġa', '', 'naïve', '🐦', 'plain', '\ufeffmark']],
  'l.bools': ['array', 'bool', [true, false]],
  'l.floats': ['array', 'f32', [1, 2.5]],
  'l.longs': ['array', 'i64', [1n, -1n]],
  'l.nested': ['array', 'array', [['array', 'u16', [1, 2]], ['array', 'string', ['x']]]],
};

export function tensor(name: string, type: DType, shape: readonly number[], seed = 1): Tensor {
  const { next } = random(seed);
  return { name, type, shape, data: Uint8Array.from({ length: tensorBytes(type, shape)! }, () => next(256)) };
}

/** A GGUF with every value type and every tensor type. */
export const seedGguf = (): Uint8Array<ArrayBuffer> => writeGguf(EVERY_VALUE, DTYPES.map((type, i) => tensor(`blk.0.${type}`, type, [256, 2], i + 1)));

/** The same tensors in `count` parts. */
export function seedSplit(count = 3): Uint8Array<ArrayBuffer>[] {
  const tensors = DTYPES.map((type, i) => tensor(`blk.0.${type}`, type, [256, 1], i + 1));
  return Array.from({ length: count }, (_, no) => {
    const split: Record<string, Entry> = { 'split.no': ['u16', no], 'split.count': ['u16', count], 'split.tensors.count': ['i32', tensors.length] };
    return writeGguf({ ...(no === 0 ? EVERY_VALUE : {}), ...split }, tensors.filter((_, i) => i % count === no));
  });
}

export const LLAMA_CONFIG = {
  architectures: ['LlamaForCausalLM'], model_type: 'llama', vocab_size: 12, hidden_size: 8, intermediate_size: 16, num_hidden_layers: 1,
  num_attention_heads: 2, num_key_value_heads: 1, max_position_embeddings: 16, rms_norm_eps: 1e-5, rope_theta: 10000, hidden_act: 'silu',
  rope_scaling: { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8 },
  tie_word_embeddings: false, bos_token_id: 1, eos_token_id: [2, 3],
};
export const GPT2_CONFIG = { model_type: 'gpt2', n_embd: 8, n_layer: 1, n_head: 2, n_positions: 16, vocab_size: 12, layer_norm_epsilon: 1e-5, activation_function: 'gelu_new' };

const f32 = (shape: readonly number[], seed: number): Stored => ({ dtype: 'F32', shape, data: bytesOf(floats(shape.reduce((a, b) => a * b, 1), seed)) });

const stored = (shapes: Readonly<Record<string, readonly number[]>>): Record<string, Stored> =>
  Object.fromEntries(Object.entries(shapes).map(([name, shape], i) => [name, f32(shape, i + 1)]));

export const LLAMA_TENSORS = stored({
  'model.embed_tokens.weight': [12, 8],
  'model.layers.0.input_layernorm.weight': [8],
  'model.layers.0.self_attn.q_proj.weight': [8, 8],
  'model.layers.0.self_attn.k_proj.weight': [4, 8],
  'model.layers.0.self_attn.v_proj.weight': [4, 8],
  'model.layers.0.self_attn.o_proj.weight': [8, 8],
  'model.layers.0.post_attention_layernorm.weight': [8],
  'model.layers.0.mlp.gate_proj.weight': [16, 8],
  'model.layers.0.mlp.up_proj.weight': [16, 8],
  'model.layers.0.mlp.down_proj.weight': [8, 16],
  'model.norm.weight': [8],
  'lm_head.weight': [12, 8],
});

export const GPT2_TENSORS = stored({
  'wte.weight': [12, 8],
  'wpe.weight': [16, 8],
  'h.0.ln_1.weight': [8],
  'h.0.ln_1.bias': [8],
  'h.0.attn.bias': [1, 1, 16, 16],
  'h.0.attn.c_attn.weight': [8, 24],
  'h.0.attn.c_attn.bias': [24],
  'h.0.attn.c_proj.weight': [8, 8],
  'h.0.attn.c_proj.bias': [8],
  'h.0.ln_2.weight': [8],
  'h.0.ln_2.bias': [8],
  'h.0.mlp.c_fc.weight': [8, 32],
  'h.0.mlp.c_fc.bias': [32],
  'h.0.mlp.c_proj.weight': [32, 8],
  'h.0.mlp.c_proj.bias': [8],
  'ln_f.weight': [8],
  'ln_f.bias': [8],
});

export const json = (value: unknown): Uint8Array<ArrayBuffer> => new TextEncoder().encode(JSON.stringify(value)) as Uint8Array<ArrayBuffer>;

/** The files of a Hugging Face folder. */
export const seedHuggingFace = (config: object = LLAMA_CONFIG, tensors = LLAMA_TENSORS): Record<string, Uint8Array<ArrayBuffer>> => ({
  'config.json': json(config),
  'model.safetensors': writeSafetensors(tensors),
});
