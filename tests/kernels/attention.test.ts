import { describe, expect, it } from 'vitest';
import { ATTENTION_TOLERANCE, type AttentionSizes, attention, attentionQ8, Q8_ATTENTION_TOLERANCE, throughCodes } from '../reference/attention.js';
import { type Bench, buildsHere, firstDifference, load, random, randomFloats } from './support.js';

type Cache = 'f32' | 'q8_0';

interface Run {
  q: Float32Array;
  k: Float32Array;
  v: Float32Array;
  tokens: number;
  /** Tokens per call: each chunk is stored, then attends. */
  chunk: number;
  context: number;
  cache: Cache;
  /** Work items are computed in two calls, the second part first. */
  split?: boolean;
}

/** Rows with `gap` unused elements between them, at an address 4 bytes off alignment. */
function placeRows(bench: Bench, rows: Float32Array, width: number, gap: number): number {
  const spread = new Float32Array((rows.length / width) * (width + gap)).fill(NaN);
  for (let at = 0; at < rows.length; at += width) spread.set(rows.subarray(at, at + width), (at / width) * (width + gap));
  return bench.place(spread, 4);
}

function run(bench: Bench, sizes: AttentionSizes, { q, k, v, tokens, chunk, context, cache, split = false }: Run): Float32Array {
  const { exports } = bench;
  const { heads, kvHeads, headDim, scale } = sizes;
  const width = heads * headDim, kvWidth = kvHeads * headDim;
  const kvBytes = exports[`kv_bytes_${cache}`](context, kvHeads, headDim);
  const kv = bench.allocate(kvBytes), scratchBytes = exports.attention_scratch_bytes(headDim, heads / kvHeads);
  const scratch = bench.allocate(scratchBytes);
  bench.bytes(kv, kvBytes).fill(0xff); // NaN wherever nothing has been stored
  bench.bytes(scratch, scratchBytes).fill(0xff);
  const [qAt, kAt, vAt] = [placeRows(bench, q, width, 3), placeRows(bench, k, kvWidth, 1), placeRows(bench, v, kvWidth, 2)];
  const out = bench.allocate(tokens * (width + 5) * 4 + 4) + 4;
  const result = bench.floats(out, tokens * (width + 5)).fill(7);
  for (let position = 0; position < tokens; position += chunk) {
    const m = Math.min(chunk, tokens - position), items = exports.attention_items(m, kvHeads);
    const middle = split ? Math.floor(m / 2) : 0, between = split ? Math.floor(items / 2) : 0;
    const from = [out + position * (width + 5) * 4, qAt + position * (width + 3) * 4, kAt + position * (kvWidth + 1) * 4, vAt + position * (kvWidth + 2) * 4] as const;
    for (const [first, end] of [[middle, m], [0, middle]] as const) {
      exports[`kv_store_${cache}`](kv, from[2], from[3], context, kvHeads, headDim, position, kvWidth + 1, kvWidth + 2, first, end);
    }
    for (const [first, end] of [[between, items], [0, between]] as const) {
      exports[`attention_f32_${cache}`](from[0], from[1], kv, scratch, m, position, heads, kvHeads, headDim, context, scale, width + 5, width + 3, first, end);
    }
  }
  const y = new Float32Array(tokens * width);
  for (let token = 0; token < tokens; token++) y.set(result.subarray(token * (width + 5), token * (width + 5) + width), token * width);
  expect(result.every((value, i) => i % (width + 5) < width || value === 7), 'nothing written between rows').toBe(true);
  return y;
}

function inputs({ heads, kvHeads, headDim }: AttentionSizes, tokens: number, seed: number) {
  const next = random(seed);
  return {
    q: randomFloats(tokens * heads * headDim, next, 3),
    k: randomFloats(tokens * kvHeads * headDim, next, 1),
    v: randomFloats(tokens * kvHeads * headDim, next, 1),
  };
}

const SHAPES: [heads: number, kvHeads: number, headDim: number, tokens: number][] = [
  [1, 1, 8, 1], [4, 4, 8, 33], [4, 1, 16, 65], [9, 3, 64, 71], [2, 1, 48, 40], [6, 3, 80, 34], [8, 2, 128, 37], [7, 1, 32, 70], [2, 2, 20, 39], [3, 1, 6, 66], [4, 2, 1, 35],
];
const CACHES: Cache[] = ['f32', 'q8_0'];

describe.each(SHAPES)('attention, %i heads on %i, %i dims, %i tokens', (heads, kvHeads, headDim, tokens) => {
  const sizes = { heads, kvHeads, headDim, scale: Math.fround(1 / Math.sqrt(headDim)) };
  const data = inputs(sizes, tokens, heads * 1000 + headDim);
  const context = tokens + 3;

  describe.each(CACHES)('%s cache', (cache) => {
    const whole = run(load('simd'), sizes, { ...data, tokens, chunk: tokens, context, cache });

    it('agrees with the reference', () => {
      const expected = (cache === 'f32' ? attention : attentionQ8)(data.q, data.k, data.v, 0, sizes);
      const worst = whole.reduce((error, value, i) => Math.max(error, Math.abs(value - expected[i]!)), 0);
      expect(worst).toBeLessThanOrEqual(cache === 'f32' ? ATTENTION_TOLERANCE : Q8_ATTENTION_TOLERANCE);
    });

    it.each(buildsHere())('gives the same bits in chunks and split among threads, %s build', (build) => {
      for (const chunk of [1, 7, 64]) {
        expect(firstDifference(run(load(build), sizes, { ...data, tokens, chunk, context, cache }), whole)).toBe(-1);
      }
      for (const chunk of [1, tokens]) expect(firstDifference(run(load(build), sizes, { ...data, tokens, chunk, context, cache, split: true }), whole)).toBe(-1);
    });
  });
});

describe.each(buildsHere())('attention at the edges, %s build', (build) => {
  const sizes = { heads: 4, kvHeads: 2, headDim: 16, scale: 0.25 };
  const tokens = 40;

  it.each(CACHES)('one dominant key gives its value, %s cache', (cache) => {
    const { q, k, v } = inputs(sizes, tokens, 1);
    q.fill(100);
    k.fill(-100);
    k.fill(100, 5 * 32, 6 * 32);
    const y = run(load(build), sizes, { q, k, v, tokens, chunk: tokens, context: tokens, cache });
    const kept = cache === 'f32' ? v : throughCodes(v, 16, 127);
    y.subarray(39 * 64, 39 * 64 + 16).forEach((value, dim) => expect(value).toBeCloseTo(kept[5 * 32 + dim]!, 6));
  });

  it.each(CACHES)('NaN in a later key does not reach earlier tokens; it makes later ones NaN, %s cache', (cache) => {
    const data = inputs(sizes, tokens, 2);
    const clean = run(load(build), sizes, { ...data, tokens, chunk: tokens, context: tokens, cache });
    data.k.fill(NaN, 35 * 32, 36 * 32);
    data.v.fill(Infinity, 35 * 32, 36 * 32);
    const y = run(load(build), sizes, { ...data, tokens, chunk: tokens, context: tokens, cache });
    expect(firstDifference(y.subarray(0, 35 * 64), clean.subarray(0, 35 * 64))).toBe(-1);
    expect(y.subarray(35 * 64).every(Number.isNaN)).toBe(true);
  });

  it.each(CACHES)('half of the items are one KV head with early and late tokens, %s cache', (cache) => {
    const bench = load(build), { exports } = bench, { q, k, v } = inputs(sizes, tokens, 3), { heads, kvHeads, headDim, scale } = sizes;
    const [kv, scratch, out] = [exports[`kv_bytes_${cache}`](tokens, kvHeads, headDim), exports.attention_scratch_bytes(headDim, 2), tokens * 64 * 4].map((bytes) => bench.allocate(bytes));
    exports[`kv_store_${cache}`](kv!, bench.place(k), bench.place(v), tokens, kvHeads, headDim, 0, 32, 32, 0, tokens);
    bench.floats(out!, tokens * 64).fill(NaN);
    exports[`attention_f32_${cache}`](out!, bench.place(q), kv!, scratch!, tokens, 0, heads, kvHeads, headDim, tokens, scale, 64, 64, 0, exports.attention_items(tokens, kvHeads) / 2);
    expect(bench.floats(out!, tokens * 64).every((value, i) => Number.isNaN(value) === i % 64 >= 32)).toBe(true);
  });

  it.each(CACHES)('an empty range touches nothing, %s cache', (cache) => {
    const bench = load(build);
    const { exports } = bench;
    expect(() => exports[`attention_f32_${cache}`](0, 0, 0, bench.allocate(4096), 0, 0, 4, 2, 16, 8, 1, 64, 64, 0, 0)).not.toThrow();
    expect(exports.attention_items(0, 2)).toBe(0);
  });
});
