// A seeded model of nonsense, a megabyte: what all runtimes run where the real models are not at hand.
import { tensorBytes } from '../../src/files/dtypes.js';
import { BYTE_LETTERS } from '../../src/text/alphabet.js';
import { type Entry, type Tensor, writeGguf } from '../files/support/gguf-writer.js';
import { bytesOf, floats, random } from '../files/support/random.js';

const WIDTH = 256;
const HEAD = 64;
const KV_HEADS = 2;
const FEED_FORWARD = 512;
const LAYERS = 2;

/** Bytes of a block, and the scales (f16) it starts with, chosen for weights of about ±0.1. */
const BLOCKS = {
  q8_0: { bytes: 34, scales: [0x1400] }, // 2^-10 * -128 … 127
  q4_0: { bytes: 18, scales: [0x2400] }, // 2^-6 * -8 … 7
  q4_K: { bytes: 144, scales: [0x1000, 0x1b80] }, // 2^-11 * 0 … 15 * 0 … 63, less 7.5 times as much * 0 … 63
} as const;

function matrix(name: string, type: keyof typeof BLOCKS, columns: number, rows: number, seed: number): Tensor {
  const { next } = random(seed);
  const shape = [columns, rows];
  const data = Uint8Array.from({ length: tensorBytes(type, shape)! }, () => next(256));
  const view = new DataView(data.buffer);
  const { bytes, scales } = BLOCKS[type];
  for (let at = 0; at < data.length; at += bytes) scales.forEach((scale, i) => view.setUint16(at + 2 * i, scale, true));
  return { name, type, shape, data };
}

const norm = (name: string, columns: number, seed: number): Tensor => ({
  name,
  type: 'f32',
  shape: [columns],
  data: bytesOf(floats(columns, seed).map((x) => 1 + 0.2 * x)),
});

function layer(index: number): Tensor[] {
  const at = (stem: string) => `blk.${index}.${stem}.weight`;
  const seed = 100 * (index + 1);
  return [
    norm(at('attn_norm'), WIDTH, seed),
    matrix(at('attn_q'), 'q8_0', WIDTH, WIDTH, seed + 1),
    matrix(at('attn_k'), 'q4_0', WIDTH, KV_HEADS * HEAD, seed + 2),
    matrix(at('attn_v'), 'q8_0', WIDTH, KV_HEADS * HEAD, seed + 3),
    norm(at('attn_q_norm'), HEAD, seed + 4),
    norm(at('attn_k_norm'), HEAD, seed + 5),
    matrix(at('attn_output'), 'q4_K', WIDTH, WIDTH, seed + 6),
    norm(at('ffn_norm'), WIDTH, seed + 7),
    matrix(at('ffn_gate'), 'q4_0', WIDTH, FEED_FORWARD, seed + 8),
    matrix(at('ffn_up'), 'q4_K', WIDTH, FEED_FORWARD, seed + 9),
    matrix(at('ffn_down'), 'q4_K', FEED_FORWARD, WIDTH, seed + 10),
  ];
}

const METADATA: Record<string, Entry> = {
  'general.architecture': ['string', 'qwen3'],
  'qwen3.context_length': ['u32', 256],
  'qwen3.embedding_length': ['u32', WIDTH],
  'qwen3.block_count': ['u32', LAYERS],
  'qwen3.feed_forward_length': ['u32', FEED_FORWARD],
  'qwen3.attention.head_count': ['u32', WIDTH / HEAD],
  'qwen3.attention.head_count_kv': ['u32', KV_HEADS],
  'qwen3.attention.key_length': ['u32', HEAD],
  'qwen3.attention.value_length': ['u32', HEAD],
  'qwen3.attention.layer_norm_rms_epsilon': ['f32', 1e-6],
  'qwen3.rope.freq_base': ['f32', 10000],
  'tokenizer.ggml.model': ['string', 'gpt2'],
  'tokenizer.ggml.pre': ['string', 'qwen2'],
  'tokenizer.ggml.tokens': ['array', 'string', BYTE_LETTERS.map((letter) => String.fromCharCode(letter))],
  'tokenizer.ggml.token_type': ['array', 'i32', BYTE_LETTERS.map(() => 1)],
  'tokenizer.ggml.merges': ['array', 'string', []],
};

/** A GGUF file: qwen3, two layers, one token per byte, weights of three types. */
export const syntheticModel = (): Uint8Array<ArrayBuffer> =>
  writeGguf(METADATA, [
    matrix('token_embd.weight', 'q8_0', WIDTH, 256, 1),
    ...Array.from({ length: LAYERS }, (_, index) => layer(index)).flat(),
    norm('output_norm.weight', WIDTH, 2),
    matrix('output.weight', 'q4_K', WIDTH, 256, 3),
  ]);
