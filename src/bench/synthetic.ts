import { collect } from '../files/chunks.js';
import { tensorOf, type WrittenTensor, writeGguf } from '../files/gguf-writer.js';
import type { DType, MetadataValue } from '../files/types.js';
import { weightBytes } from './random.js';
import { vocabularyMetadata } from './vocabulary.js';

/** A llama of 3.6 million weights: small enough for the scalar build, large enough for threads. */
const SHAPE = { width: 256, layers: 4, heads: 4, kvHeads: 2, feedForward: 768, context: 1024 };
const HEAD_DIM = SHAPE.width / SHAPE.heads;

const matrix = (name: string, type: DType, columns: number, rows: number): WrittenTensor => tensorOf(name, type, [columns, rows], weightBytes(type, columns, rows, name.length));

const ones = (name: string): WrittenTensor => tensorOf(name, 'f32', [SHAPE.width], new Uint8Array(new Float32Array(SHAPE.width).fill(1).buffer));

function layer(index: number): WrittenTensor[] {
  const at = (stem: string) => `blk.${index}.${stem}.weight`;
  const { width, kvHeads, feedForward } = SHAPE;
  return [
    ones(at('attn_norm')),
    matrix(at('attn_q'), 'q4_0', width, width),
    matrix(at('attn_k'), 'q4_0', width, kvHeads * HEAD_DIM),
    matrix(at('attn_v'), 'q4_0', width, kvHeads * HEAD_DIM),
    matrix(at('attn_output'), 'q4_0', width, width),
    ones(at('ffn_norm')),
    matrix(at('ffn_gate'), 'q4_0', width, feedForward),
    matrix(at('ffn_up'), 'q4_0', width, feedForward),
    matrix(at('ffn_down'), 'q4_0', feedForward, width),
  ];
}

const metadata = (): [string, MetadataValue][] => [
  ['general.architecture', 'llama'],
  ['general.name', 'synthetic'],
  ['llama.context_length', SHAPE.context],
  ['llama.embedding_length', SHAPE.width],
  ['llama.block_count', SHAPE.layers],
  ['llama.feed_forward_length', SHAPE.feedForward],
  ['llama.attention.head_count', SHAPE.heads],
  ['llama.attention.head_count_kv', SHAPE.kvHeads],
  ['llama.attention.layer_norm_rms_epsilon', 1e-5],
  ['llama.rope.freq_base', 10_000],
];

/** A GGUF file in memory: seeded weights (Q4_0, table and head Q8_0), the vocabulary of the encoding bench. Says nothing. */
export function syntheticModel(): Promise<Uint8Array<ArrayBuffer>> {
  const vocabulary = vocabularyMetadata();
  const tokens = vocabulary.find(([key]) => key === 'tokenizer.ggml.tokens')![1] as readonly string[];
  const tensors = [
    matrix('token_embd.weight', 'q8_0', SHAPE.width, tokens.length),
    ...Array.from({ length: SHAPE.layers }, (_, index) => layer(index)).flat(),
    ones('output_norm.weight'),
  ];
  return collect(writeGguf({ metadata: new Map([...metadata(), ...vocabulary]), tensors }));
}
