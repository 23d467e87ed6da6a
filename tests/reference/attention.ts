import { halfOf, halfValue, symmetric } from './encode.js';

export interface AttentionSizes {
  heads: number;
  kvHeads: number;
  headDim: number;
  scale: number;
  /** Positions that a row sees, its own included; all without. */
  window?: number;
}

/** f32 scores and probabilities over at most a few hundred keys, relative to the largest value. */
export const ATTENTION_TOLERANCE = 2e-6;

/**
 * Causal grouped-query attention in f64. q: rows of heads x headDim for positions `position` on; k, v: rows of
 * kvHeads x headDim for positions 0 on. Query head h looks at KV head floor(h / (heads / kvHeads)).
 */
export function attention(q: Float32Array, k: ArrayLike<number>, v: ArrayLike<number>, position: number, sizes: AttentionSizes): Float64Array {
  const { heads, kvHeads, headDim, scale, window = Infinity } = sizes;
  const width = heads * headDim, kvWidth = kvHeads * headDim;
  const out = new Float64Array(q.length);
  for (let at = 0; at < q.length; at += headDim) {
    const token = Math.floor(at / width), kvHead = Math.floor(((at % width) / headDim) * (kvHeads / heads));
    const rows = Array.from({ length: position + token + 1 }, (_, key) => key * kvWidth + kvHead * headDim);
    const scores = rows.map((row, key) => (key > position + token - window ? scale * dot(q, at, k, row, headDim) : -Infinity));
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

/** One code of the largest weight, with values up to 1: now and then f32 rounds a weight the other way. */
export const Q8_ATTENTION_TOLERANCE = 1 / 32767;
const BLOCK = 32, RUN = 32;

/**
 * The same over a q8_0 cache (`most` 127) or one of q4_0 (8), in integers: queries as codes of 16 bits in runs of 32 dims; per block of 32 keys and run of 32 dims,
 * weights times the values' scales as codes of 16 bits.
 */
export function attentionQ8(q: Float32Array, k: Float32Array, v: Float32Array, position: number, sizes: AttentionSizes, most: 127 | 8): Float64Array {
  const { heads, kvHeads, headDim, scale, window = Infinity } = sizes;
  const width = heads * headDim, kvWidth = kvHeads * headDim;
  const queries = throughCodes(q, headDim, 32767), keys = throughCodes(k, headDim, most), values = codesOf(v, headDim, most);
  const out = new Float64Array(q.length);
  for (let at = 0; at < q.length; at += headDim) {
    const token = Math.floor(at / width), kvHead = Math.floor(((at % width) / headDim) * (kvHeads / heads));
    const rows = Array.from({ length: position + token + 1 }, (_, key) => key * kvWidth + kvHead * headDim);
    const scores = rows.map((row, key) => (key > position + token - window ? scale * dot(queries, at, keys, row, headDim) : -Infinity));
    const top = Math.max(...scores), weights = scores.map((score) => Math.exp(score - top));
    const total = weights.reduce((a, b) => a + b, 0);
    for (let dim = 0; dim < headDim; dim++) {
      const run = dim - (dim % RUN);
      for (let block = 0; block < rows.length; block += BLOCK) {
        const scaled = rows.slice(block, block + BLOCK).map((row, i) => weights[block + i]! * values.steps[row + run]!);
        const largest = Math.max(...scaled.map(Math.abs));
        const sum = scaled.reduce((total, weight, i) => total + roundToEven((weight * 32767) / largest) * values.codes[rows[block + i]! + dim]!, 0);
        if (largest > 0) out[at + dim]! += ((largest / 32767) * sum) / total;
      }
    }
  }
  return out;
}

/** Rows of heads x headDim as codes up to `most` (8: from -8 to 7, as q4_0 has them) per head and run of 32 dims, and each element's step. */
function codesOf(x: Float32Array, headDim: number, most: number): { codes: Float64Array; steps: Float32Array } {
  const codes = new Float64Array(x.length), steps = new Float32Array(x.length);
  for (let head = 0; head < x.length; head += headDim) {
    for (let from = head; from < head + headDim; from += RUN) {
      const run = x.subarray(from, Math.min(from + RUN, head + headDim));
      if (most === 8) {
        const block = symmetric(Float32Array.from({ length: RUN }, (_, i) => run[i] ?? 0), 16), step = halfValue(block[0]! | (block[1]! << 8));
        run.forEach((_, i) => {
          steps[from + i] = step;
          codes[from + i] = (i < 16 ? block[2 + i]! & 15 : block[2 + i - 16]! >> 4) - 8;
        });
        continue;
      }
      const largest = run.reduce((best, value) => Math.max(best, Math.abs(value)), 0), inverse = Math.fround(most / largest);
      run.forEach((value, i) => {
        steps[from + i] = largest / most;
        codes[from + i] = largest ? roundToEven(Math.fround(value * inverse)) : 0;
      });
    }
  }
  return { codes, steps };
}

/** What an f16 cache makes of rows. */
export const throughHalves = (x: Float32Array): Float64Array => Float64Array.from(x, (value) => halfValue(halfOf(value)));

/** What such codes make of the rows: for 127, what the q8_0 cache does, for 8, the q4_0 cache. */
export function throughCodes(x: Float32Array, headDim: number, most: number): Float64Array {
  const { codes, steps } = codesOf(x, headDim, most);
  return codes.map((code, i) => code * steps[i]!);
}

function roundToEven(x: number): number {
  const floor = Math.floor(x), rest = x - floor;
  if (rest === 0.5) return floor % 2 === 0 ? floor : floor + 1;
  return Math.round(x);
}
