import type { ModelFile } from './types.js';

/** Rows of `b` as the model needs them: llama weights of Hugging Face keep the halves of rotary pairs apart, those of GGUF side by side, and adapters follow GGUF. */
export function fromGgufOrder(metadata: ModelFile['metadata'], weight: string, b: Float32Array, rank: number): Float32Array {
  if (metadata.get('stonechat.rope.style') !== 'neox' || !/\.attn_[qk]\.weight$/.test(weight)) return b;
  return reorderHeads(b, rank, headDimOf(metadata), (row, half) => (row % half) * 2 + Math.floor(row / half));
}

/** The way back. */
export function inGgufOrder(metadata: ModelFile['metadata'], weight: string, b: Float32Array, rank: number): Float32Array {
  if (metadata.get('stonechat.rope.style') !== 'neox' || !/\.attn_[qk]\.weight$/.test(weight)) return b;
  return reorderHeads(b, rank, headDimOf(metadata), (row, half) => (row % 2) * half + Math.floor(row / 2));
}

function headDimOf(metadata: ModelFile['metadata']): number {
  const number = (key: string) => metadata.get(`llama.${key}`);
  return Number(number('attention.key_length') ?? Number(number('embedding_length')) / Number(number('attention.head_count')));
}

/** Row i of each head comes from row `from(i, half)`. */
function reorderHeads(values: Float32Array, columns: number, headDim: number, from: (row: number, half: number) => number): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row * columns < values.length; row++) {
    const source = row - (row % headDim) + from(row % headDim, headDim / 2);
    result.set(values.subarray(source * columns, (source + 1) * columns), row * columns);
  }
  return result;
}
