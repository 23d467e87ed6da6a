import type { AttentionSizes } from './attention.js';

/** f32 over at most a few hundred keys, relative to the largest value of the result. */
export const SEQUENCE_TOLERANCE = 3e-6;

/** Rows of heads x headDim (q) and kvHeads x headDim (k, v); row r sees rows starts[r] … r. */
export interface SequenceInputs {
  q: ArrayLike<number>;
  k: ArrayLike<number>;
  v: ArrayLike<number>;
  starts: readonly number[];
}

/** Calls `each` for every query row and head with the probabilities of the rows that it sees. */
function walk({ q, k, starts }: SequenceInputs, { heads, kvHeads, headDim, scale }: AttentionSizes, each: (query: number, keys: number[], probabilities: number[], lse: number) => void): void {
  starts.forEach((start, row) => {
    for (let head = 0; head < heads; head++) {
      const query = (row * heads + head) * headDim, kvHead = Math.floor((head * kvHeads) / heads);
      const keys = Array.from({ length: row - start + 1 }, (_, i) => ((start + i) * kvHeads + kvHead) * headDim);
      const scores = keys.map((key) => scale * dot(q, query, k, key, headDim));
      const top = scores.reduce((best, score) => Math.max(best, score), -Infinity);
      const lse = top + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - top), 0));
      each(query, keys, scores.map((score) => Math.exp(score - lse)), lse);
    }
  });
}

/** Causal attention in f64 within documents, and the log-sum-exp of each row's and head's scores. */
export function attentionSequence(inputs: SequenceInputs, sizes: AttentionSizes): { out: Float64Array; lse: Float64Array } {
  const out = new Float64Array(inputs.q.length), lse = new Float64Array(out.length / sizes.headDim);
  walk(inputs, sizes, (query, keys, probabilities, logSum) => {
    lse[query / sizes.headDim] = logSum;
    keys.forEach((key, i) => addTo(out, query, inputs.v, key, probabilities[i]!, sizes.headDim));
  });
  return { out, lse };
}

/** Its gradients by q, k and v, for the gradient dout of its result. */
export function attentionSequenceGrad(dout: ArrayLike<number>, inputs: SequenceInputs, sizes: AttentionSizes): { dq: Float64Array; dk: Float64Array; dv: Float64Array } {
  const { headDim, scale } = sizes;
  const dq = new Float64Array(inputs.q.length), dk = new Float64Array(inputs.k.length), dv = new Float64Array(inputs.v.length);
  walk(inputs, sizes, (query, keys, probabilities) => {
    const slopes = keys.map((key) => dot(dout, query, inputs.v, key, headDim));
    const mean = slopes.reduce((sum, slope, i) => sum + slope * probabilities[i]!, 0);
    keys.forEach((key, i) => {
      const weight = probabilities[i]! * (slopes[i]! - mean) * scale;
      addTo(dv, key, dout, query, probabilities[i]!, headDim);
      addTo(dq, query, inputs.k, key, weight, headDim);
      addTo(dk, key, inputs.q, query, weight, headDim);
    });
  });
  return { dq, dk, dv };
}

function dot(a: ArrayLike<number>, from: number, b: ArrayLike<number>, to: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += a[from + i]! * b[to + i]!;
  return sum;
}

function addTo(y: Float64Array, to: number, x: ArrayLike<number>, from: number, scale: number, length: number): void {
  for (let i = 0; i < length; i++) y[to + i]! += scale * x[from + i]!;
}
