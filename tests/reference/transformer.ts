// The whole decoder in plain f64 TypeScript, written from the papers and independent of src/graph and src/plan.
import type { MetadataValue } from '../../src/files/types.js';

export interface ReferenceTensor {
  /** GGUF order: [columns, rows]. */
  shape: readonly number[];
  data: ArrayLike<number>;
}
export interface ReferenceModel {
  metadata: ReadonlyMap<string, MetadataValue>;
  tensors: ReadonlyMap<string, ReferenceTensor>;
}
type Vector = Float64Array;

const dot = (w: ArrayLike<number>, offset: number, x: Vector): number => {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += w[offset + i]! * x[i]!;
  return sum;
};
const gelu = (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
const silu = (x: number) => x / (1 + Math.exp(-x));

/** Logits of every position, [tokens][vocabulary]. */
export function referenceLogits({ metadata, tensors }: ReferenceModel, ids: readonly number[]): Vector[] {
  const architecture = String(metadata.get('general.architecture'));
  const number = (key: string, fallback = NaN) => Number(metadata.get(`${architecture}.${key}`) ?? fallback);
  const weight = (name: string) => tensors.get(name)!;
  const linear = (x: Vector, name: string): Vector => {
    const { shape, data } = weight(`${name}.weight`);
    const bias = tensors.get(`${name}.bias`)?.data;
    return Float64Array.from({ length: shape[1]! }, (_, row) => dot(data, row * shape[0]!, x) + (bias?.[row] ?? 0));
  };
  const row = (name: string, index: number): Vector => {
    const { shape, data } = weight(name);
    return Float64Array.from({ length: shape[0]! }, (_, i) => data[index * shape[0]! + i]!);
  };
  const rmsnorm = (x: Vector, name: string, epsilon: number): Vector => {
    const scale = 1 / Math.sqrt(x.reduce((s, v) => s + v * v, 0) / x.length + epsilon);
    return x.map((v, i) => v * scale * weight(name).data[i]!);
  };
  const layernorm = (x: Vector, name: string, epsilon: number): Vector => {
    const mean = x.reduce((s, v) => s + v, 0) / x.length;
    const scale = 1 / Math.sqrt(x.reduce((s, v) => s + (v - mean) ** 2, 0) / x.length + epsilon);
    return x.map((v, i) => (v - mean) * scale * weight(`${name}.weight`).data[i]! + weight(`${name}.bias`).data[i]!);
  };
  const add = (a: Vector, b: Vector): Vector => a.map((v, i) => v + b[i]!);

  const heads = number('attention.head_count');
  const kvHeads = number('attention.head_count_kv', heads);
  const embedding = number('embedding_length');
  const headDim = number('attention.key_length', embedding / heads);
  const gpt2 = architecture === 'gpt2';
  const epsilon = number(gpt2 ? 'attention.layer_norm_epsilon' : 'attention.layer_norm_rms_epsilon', 1e-5);
  const style = metadata.get('stonechat.rope.style') ?? (architecture.startsWith('qwen') ? 'neox' : 'interleaved');
  const norm = (x: Vector, name: string) => (gpt2 ? layernorm(x, name, epsilon) : rmsnorm(x, `${name}.weight`, epsilon));

  const dims = number('rope.dimension_count', headDim);
  const base = number('rope.freq_base', 10000);
  const frequencies = Array.from({ length: dims / 2 }, (_, i) => base ** ((-2 * i) / dims));
  let magnitude = 1;
  const kind = metadata.get(`${architecture}.rope.scaling.type`);
  const factor = number('rope.scaling.factor', 1);
  const original = number('rope.scaling.original_context_length', number('context_length'));
  if (kind === 'linear') frequencies.forEach((f, i) => (frequencies[i] = f / factor));
  if (kind === 'yarn') {
    // Peng et al. 2023, arXiv:2309.00071: interpolate slow dimensions, keep fast ones, ramp between.
    const correction = (turns: number) => (dims * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(base));
    const low = Math.max(0, Math.floor(correction(32)));
    const high = Math.min(dims - 1, Math.ceil(correction(1)));
    frequencies.forEach((f, i) => {
      const ramp = 1 - Math.min(1, Math.max(0, (i - low) / Math.max(0.001, high - low)));
      frequencies[i] = (f / factor) * (1 - ramp) + f * ramp;
    });
    magnitude = 1 + 0.1 * Math.log(factor);
  }
  const factors = tensors.get('rope_freqs.weight')?.data;
  if (factors) frequencies.forEach((f, i) => (frequencies[i] = f / factors[i]!));
  const rotate = (x: Vector, position: number): Vector => {
    if (gpt2) return x;
    const out = x.slice();
    for (let head = 0; head * headDim < x.length; head++) {
      for (let i = 0; i < dims / 2; i++) {
        const [a, b] = style === 'neox' ? [i, i + dims / 2] : [2 * i, 2 * i + 1];
        const [p, q] = [x[head * headDim + a]!, x[head * headDim + b]!];
        const angle = position * frequencies[i]!;
        const [cos, sin] = [Math.cos(angle) * magnitude, Math.sin(angle) * magnitude];
        out[head * headDim + a] = p * cos - q * sin;
        out[head * headDim + b] = p * sin + q * cos;
      }
    }
    return out;
  };
  const headNorm = (x: Vector, name: string): Vector => {
    if (!tensors.has(name)) return x;
    const out = x.slice();
    for (let at = 0; at < x.length; at += headDim) out.set(rmsnorm(x.slice(at, at + headDim), name, epsilon), at);
    return out;
  };
  const attend = (q: Vector, keys: Vector[], values: Vector[]): Vector => {
    const out = new Float64Array(heads * headDim);
    for (let head = 0; head < heads; head++) {
      const from = Math.floor(head / (heads / kvHeads)) * headDim;
      const scores = keys.map((k) => dot(k, from, q.slice(head * headDim, (head + 1) * headDim)) / Math.sqrt(headDim));
      const top = Math.max(...scores);
      const p = scores.map((s) => Math.exp(s - top));
      const sum = p.reduce((s, v) => s + v, 0);
      values.forEach((v, j) => {
        for (let d = 0; d < headDim; d++) out[head * headDim + d]! += (p[j]! / sum) * v[from + d]!;
      });
    }
    return out;
  };

  const layers = number('block_count');
  const cache = Array.from({ length: layers }, () => ({ keys: [] as Vector[], values: [] as Vector[] }));
  return ids.map((id, position) => {
    let x = row('token_embd.weight', id);
    if (gpt2) x = add(x, row('position_embd.weight', position));
    for (let layer = 0; layer < layers; layer++) {
      const name = `blk.${layer}`;
      const { keys, values } = cache[layer]!;
      const normed = norm(x, `${name}.attn_norm`);
      const parts = gpt2 ? linear(normed, `${name}.attn_qkv`) : undefined;
      const part = (i: number, stem: string) => parts?.slice(i * embedding, (i + 1) * embedding) ?? linear(normed, `${name}.${stem}`);
      const q = rotate(headNorm(part(0, 'attn_q'), `${name}.attn_q_norm.weight`), position);
      keys.push(rotate(headNorm(part(1, 'attn_k'), `${name}.attn_k_norm.weight`), position));
      values.push(part(2, 'attn_v'));
      x = add(x, linear(attend(q, keys, values), `${name}.attn_output`));
      const h = norm(x, `${name}.ffn_norm`);
      const up = linear(h, `${name}.ffn_up`);
      const gate = gpt2 ? undefined : linear(h, `${name}.ffn_gate`);
      const hidden = gate ? gate.map((v, i) => silu(v) * up[i]!) : up.map(gelu);
      x = add(x, linear(hidden, `${name}.ffn_down`));
    }
    const final = norm(x, 'output_norm');
    return linear(final, tensors.has('output.weight') ? 'output' : 'token_embd');
  });
}
