import { bytesOf, floats } from './random.js';
import { concat } from './safetensors-writer.js';

export interface Sizes {
  dim: number;
  hidden: number;
  layers: number;
  heads: number;
  kvHeads: number;
  vocabulary: number;
  context: number;
}
export const SMALL: Sizes = { dim: 8, hidden: 16, layers: 2, heads: 2, kvHeads: 1, vocabulary: 12, context: 16 };

/** Stacked weights in the order of llama2.c's export.py, each from its own seed: name (ours, without layer) -> one array per layer. */
export function weights({ dim, hidden, layers, heads, kvHeads, vocabulary }: Sizes): Record<string, Float32Array<ArrayBuffer>[]> {
  const kv = (dim / heads) * kvHeads;
  const counts: Record<string, number> = {
    attn_norm: dim, attn_q: dim * dim, attn_k: kv * dim, attn_v: kv * dim, attn_output: dim * dim,
    ffn_norm: dim, ffn_gate: hidden * dim, ffn_down: dim * hidden, ffn_up: hidden * dim,
  };
  const stacked = Object.entries(counts).map(([name, count], i) => [name, Array.from({ length: layers }, (_, layer) => floats(count, 10 * i + layer + 1))]);
  const whole = { token_embd: vocabulary * dim, output_norm: dim, output: vocabulary * dim };
  const single = Object.entries(whole).map(([name, count], i) => [name, [floats(count, 900 + i)]]);
  return Object.fromEntries([...stacked, ...single]) as Record<string, Float32Array<ArrayBuffer>[]>;
}

const MATRICES = ['token_embd', 'attn_q', 'attn_k', 'attn_v', 'attn_output', 'ffn_gate', 'ffn_down', 'ffn_up'];

function header(sizes: Sizes, version: number, tied: boolean, group: number): Uint8Array {
  const bytes = new Uint8Array(version === 0 ? 28 : 256);
  const view = new DataView(bytes.buffer);
  const at = version === 0 ? 0 : 8;
  Object.values(sizes).forEach((size, i) => view.setInt32(at + 4 * i, version === 0 && !tied && i === 5 ? -size : size, true));
  if (version === 0) return bytes;
  view.setUint32(0, 0x616b3432, true);
  view.setInt32(4, version, true);
  view.setUint8(36, tied ? 1 : 0);
  if (version === 2) view.setInt32(37, group, true);
  return bytes;
}

/** int8 codes, then one scale per group (export.py, quantize_q80). */
export function quantise(values: Float32Array, group: number): { codes: Int8Array; scales: Float32Array } {
  const scales = Float32Array.from({ length: values.length / group }, (_, i) => Math.max(...values.subarray(i * group, (i + 1) * group).map(Math.abs)) / 127);
  return { codes: Int8Array.from(values, (value, i) => Math.round(value / scales[Math.floor(i / group)]!)), scales };
}

/** A llama2.c checkpoint of the weights above. For tests only. */
export function writeLlama2c(sizes: Sizes, version: 0 | 1 | 2, tied = true, group = 4): Uint8Array<ArrayBuffer> {
  const all = weights(sizes);
  const rotary = new Float32Array((sizes.dim / sizes.heads) * sizes.context);
  const raw = (names: readonly string[]) => names.flatMap((name) => all[name]!.map(bytesOf));
  const packed = (names: readonly string[]) =>
    names.flatMap((name) => all[name]!.flatMap((values) => Object.values(quantise(values, group)).map((part) => new Uint8Array(part.buffer as ArrayBuffer))));
  const tail = tied ? [] : ['output'];
  const v0 = () => [...raw(['token_embd', 'attn_norm', ...MATRICES.slice(1, 5), 'ffn_norm', ...MATRICES.slice(5), 'output_norm']), bytesOf(rotary), ...raw(tail)];
  const norms = () => raw(['attn_norm', 'ffn_norm', 'output_norm']);
  const body = version === 0 ? v0() : [...norms(), ...(version === 1 ? raw : packed)([...MATRICES, ...tail])];
  return concat([header(sizes, version, tied, group), ...body]);
}
