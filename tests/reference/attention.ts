export interface AttentionSizes {
  heads: number;
  kvHeads: number;
  headDim: number;
  scale: number;
}

/** f32 scores and probabilities over at most a few hundred keys, relative to the largest value. */
export const ATTENTION_TOLERANCE = 2e-6;

/**
 * Causal grouped-query attention in f64. q: rows of heads x headDim for positions `position` on; k, v: rows of
 * kvHeads x headDim for positions 0 on. Query head h looks at KV head floor(h / (heads / kvHeads)).
 */
export function attention(q: Float32Array, k: ArrayLike<number>, v: ArrayLike<number>, position: number, sizes: AttentionSizes): Float64Array {
  const { heads, kvHeads, headDim, scale } = sizes;
  const width = heads * headDim, kvWidth = kvHeads * headDim;
  const out = new Float64Array(q.length);
  for (let at = 0; at < q.length; at += headDim) {
    const token = Math.floor(at / width), kvHead = Math.floor(((at % width) / headDim) * (kvHeads / heads));
    const rows = Array.from({ length: position + token + 1 }, (_, key) => key * kvWidth + kvHead * headDim);
    const scores = rows.map((row) => scale * dot(q, at, k, row, headDim));
    const top = Math.max(...scores);
    const weights = scores.map((score) => Math.exp(score - top));
    const total = weights.reduce((a, b) => a + b, 0);
    rows.forEach((row, key) => {
      for (let dim = 0; dim < headDim; dim++) out[at + dim]! += (weights[key]! / total) * v[row + dim]!;
    });
  }
  return out;
}

function dot(a: ArrayLike<number>, from: number, b: ArrayLike<number>, to: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += a[from + i]! * b[to + i]!;
  return sum;
}

/** What the q8_0 cache makes of rows of heads x headDim: per head and run of 32 dims, codes of 8 bits times a scale. */
export function throughQ8(x: Float32Array, headDim: number): Float32Array {
  const y = new Float32Array(x.length);
  for (let head = 0; head < x.length; head += headDim) {
    for (let from = head; from < head + headDim; from += 32) {
      const run = x.subarray(from, Math.min(from + 32, head + headDim));
      const largest = run.reduce((best, value) => Math.max(best, Math.abs(value)), 0);
      const scale = Math.fround(largest / 127), inverse = Math.fround(127 / largest);
      run.forEach((value, i) => (y[from + i] = largest ? roundToEven(Math.fround(value * inverse)) * scale : 0));
    }
  }
  return y;
}

function roundToEven(x: number): number {
  const floor = Math.floor(x), rest = x - floor;
  if (rest === 0.5) return floor % 2 === 0 ? floor : floor + 1;
  return Math.round(x);
}
