// Tiny random models of every architecture, as ModelFiles in memory.
import type { MetadataValue, ModelFile, TensorInfo } from '../../src/files/types.js';
import { random } from '../kernels/support.js';
import type { ReferenceTensor } from '../reference/transformer.js';

export interface TinyShape {
  architecture: 'llama' | 'gpt2' | 'qwen2' | 'qwen3';
  embedding: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headDim?: number;
  feedForward: number;
  vocabulary: number;
  context: number;
  tied?: boolean;
  extra?: Record<string, MetadataValue>;
  ropeFactors?: boolean;
}

export type TinyModel = ModelFile & { reference: Map<string, ReferenceTensor> };

export function tinyModel(shape: TinyShape, seed = 1): TinyModel {
  const { architecture, embedding, heads, kvHeads, vocabulary, feedForward } = shape;
  const next = random(seed);
  const headDim = shape.headDim ?? embedding / heads;
  const gpt2 = architecture === 'gpt2';
  const reference = new Map<string, ReferenceTensor>();
  const add = (name: string, dims: number[], base = 0, scale = 1) => {
    const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => base + scale * (2 * next() - 1));
    reference.set(name, { shape: dims, data });
  };
  const matrix = (name: string, columns: number, rows: number) => add(name, [columns, rows], 0, 1.7 / Math.sqrt(columns));
  const norm = (name: string, columns = embedding) => {
    add(`${name}.weight`, [columns], 1, 0.2);
    if (gpt2) add(`${name}.bias`, [columns], 0, 0.2);
  };
  const biased = (name: string, columns: number, rows: number, bias: boolean) => {
    matrix(`${name}.weight`, columns, rows);
    if (bias) add(`${name}.bias`, [rows], 0, 0.3);
  };
  add('token_embd.weight', [embedding, vocabulary]);
  if (gpt2) add('position_embd.weight', [embedding, shape.context], 0, 0.3);
  if (shape.ropeFactors) add('rope_freqs.weight', [headDim / 2], 2, 1);
  for (let layer = 0; layer < shape.layers; layer++) {
    const at = (stem: string) => `blk.${layer}.${stem}`;
    norm(at('attn_norm'));
    if (gpt2) biased(at('attn_qkv'), embedding, 3 * embedding, true);
    else {
      const bias = architecture === 'qwen2';
      biased(at('attn_q'), embedding, heads * headDim, bias);
      biased(at('attn_k'), embedding, kvHeads * headDim, bias);
      biased(at('attn_v'), embedding, kvHeads * headDim, bias);
    }
    if (architecture === 'qwen3') {
      norm(at('attn_q_norm'), headDim);
      norm(at('attn_k_norm'), headDim);
    }
    biased(at('attn_output'), heads * headDim, embedding, gpt2);
    norm(at('ffn_norm'));
    biased(at('ffn_up'), embedding, feedForward, gpt2);
    if (!gpt2) matrix(at('ffn_gate.weight'), embedding, feedForward);
    biased(at('ffn_down'), feedForward, embedding, gpt2);
  }
  norm('output_norm');
  if (!shape.tied) matrix('output.weight', embedding, vocabulary);

  const keys: Record<string, MetadataValue> = {
    context_length: shape.context,
    embedding_length: embedding,
    block_count: shape.layers,
    feed_forward_length: feedForward,
    'attention.head_count': heads,
    'attention.head_count_kv': kvHeads,
    'attention.key_length': headDim,
    'attention.value_length': headDim,
    [gpt2 ? 'attention.layer_norm_epsilon' : 'attention.layer_norm_rms_epsilon']: 1e-5,
    ...shape.extra,
  };
  const metadata = new Map<string, MetadataValue>(Object.entries(keys).map(([key, value]) => [`${architecture}.${key}`, value]));
  metadata.set('general.architecture', architecture);
  return { ...memoryFile(metadata, reference), reference };
}

export interface TinyNplm {
  embedding: number;
  window: number;
  feedForward: number;
  vocabulary: number;
  padding: number;
  direct?: boolean;
}

/** A tiny feed-forward network. */
export function tinyNplm({ embedding, window, feedForward, vocabulary, padding, direct }: TinyNplm, seed = 1): TinyModel {
  const next = random(seed);
  const tensor = (shape: number[], scale: number): ReferenceTensor => ({ shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => scale * (2 * next() - 1)) });
  const reference = new Map([
    ['token_embd.weight', tensor([embedding, vocabulary], 1)],
    ['blk.0.ffn_up.weight', tensor([embedding * window, feedForward], 1.7 / Math.sqrt(embedding * window))],
    ['blk.0.ffn_up.bias', tensor([feedForward], 0.3)],
    ['output.weight', tensor([feedForward, vocabulary], 3 / Math.sqrt(feedForward))],
    ['output.bias', tensor([vocabulary], 0.5)],
    ...(direct ? [['output_direct.weight', tensor([embedding * window, vocabulary], 1 / Math.sqrt(embedding * window))] as const] : []),
  ]);
  const keys = { context_length: window, embedding_length: embedding, block_count: 1, feed_forward_length: feedForward, padding_token_id: padding };
  const metadata = new Map<string, MetadataValue>([['general.architecture', 'nplm'], ...Object.entries(keys).map(([key, value]) => [`nplm.${key}`, value] as const)]);
  return { ...memoryFile(metadata, reference), reference };
}

/** A ModelFile over f32 arrays. */
export function memoryFile(metadata: ReadonlyMap<string, MetadataValue>, tensors: ReadonlyMap<string, ReferenceTensor>): ModelFile {
  const bytes = (name: string) => new Uint8Array(Float32Array.from(tensors.get(name)!.data).buffer);
  const infos = [...tensors].map(([name, { shape, data }]): [string, TensorInfo] => [name, { name, type: 'f32', shape, bytes: data.length * 4 }]);
  return {
    format: 'gguf',
    name: 'tiny',
    fileBytes: infos.reduce((sum, [, info]) => sum + info.bytes, 0),
    metadata,
    tensors: new Map(infos),
    read: async (tensor, offset, into) => into.set(bytes(tensor.name).subarray(offset, offset + into.length)),
    sibling: async () => undefined,
    close: async () => {},
  };
}
