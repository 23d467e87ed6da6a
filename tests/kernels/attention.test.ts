import { describe, expect, it } from 'vitest';
import { ATTENTION_TOLERANCE, type AttentionSizes, attention, attentionQ8, Q8_ATTENTION_TOLERANCE, throughCodes, throughHalves } from '../reference/attention.js';
import { KV_TYPES, type KvType as Cache } from '../../src/graph/node.js';
import { KEY_BLOCK, keyBlocks } from '../../src/kernels/layout.js';
import { type Bench, buildsHere, firstDifference, load, random, randomFloats } from './support.js';

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
  /** Positions that a row sees; 0: all. */
  window?: number;
}

/** Rows with `gap` unused elements between them, at an address 4 bytes off alignment. */
function placeRows(bench: Bench, rows: Float32Array, width: number, gap: number): number {
  const spread = new Float32Array((rows.length / width) * (width + gap)).fill(NaN);
  for (let at = 0; at < rows.length; at += width) spread.set(rows.subarray(at, at + width), (at / width) * (width + gap));
  return bench.place(spread, 4);
}

/** A page table of pages that lie apart and out of order, with NaN wherever nothing has been stored. */
function newPages(bench: Bench, cache: Cache, { kvHeads, headDim }: AttentionSizes, context: number): { table: number; state: number } {
  const state = 64, bytes = bench.exports[`kv_bytes_${cache}`](KEY_BLOCK, kvHeads, headDim) + 2 * state;
  const pages = Array.from({ length: keyBlocks(context) }, () => bench.allocate(bytes)).toReversed();
  pages.forEach((page) => bench.bytes(page, bytes).fill(0xff));
  return { table: bench.place(Int32Array.from(pages)), state };
}

/** Rows of one sequence from a position on: positions, page tables, tiles. */
function tablesOf(bench: Bench, table: number, position: number, rows: number) {
  const most = bench.exports.attention_tile_rows(), tiles = Math.ceil(rows / most);
  const pairs = Array.from({ length: tiles }, (_, i) => [i * most, Math.min(most, rows - i * most)]);
  return {
    positions: bench.place(Int32Array.from({ length: rows }, (_, i) => position + i)),
    pages: bench.place(new Int32Array(rows).fill(table)),
    tiles: bench.place(Int32Array.from(pairs.flat())),
    count: tiles,
  };
}

function run(bench: Bench, sizes: AttentionSizes, { q, k, v, tokens, chunk, context, cache, split = false, window = 0 }: Run): Float32Array {
  const { exports } = bench;
  const { heads, kvHeads, headDim, scale } = sizes;
  const width = heads * headDim, kvWidth = kvHeads * headDim;
  const { table, state } = newPages(bench, cache, sizes, context), scratchBytes = exports[`attention_scratch_bytes_${cache}`](headDim, heads / kvHeads);
  const scratch = bench.allocate(scratchBytes);
  bench.bytes(scratch, scratchBytes).fill(0xff);
  const [qAt, kAt, vAt] = [placeRows(bench, q, width, 3), placeRows(bench, k, kvWidth, 1), placeRows(bench, v, kvWidth, 2)];
  const out = bench.allocate(tokens * (width + 5) * 4 + 4) + 4;
  bench.floats(out, tokens * (width + 5)).fill(7);
  for (let position = 0; position < tokens; position += chunk) {
    const m = Math.min(chunk, tokens - position), { positions, pages, tiles, count } = tablesOf(bench, table, position, m), items = count * kvHeads;
    const middle = split ? Math.floor(m / 2) : 0, between = split ? Math.floor(items / 2) : 0;
    const from = [out + position * (width + 5) * 4, qAt + position * (width + 3) * 4, kAt + position * (kvWidth + 1) * 4, vAt + position * (kvWidth + 2) * 4] as const;
    for (const [first, end] of [[middle, m], [0, middle]] as const) {
      exports[`kv_store_${cache}`](state, from[2], from[3], positions, pages, kvHeads, headDim, kvWidth + 1, kvWidth + 2, first, end);
    }
    for (const [first, end] of [[between, items], [0, between]] as const) {
      exports[`attention_f32_${cache}`](from[0], from[1], state, positions, pages, tiles, scratch, count, heads, kvHeads, headDim, scale, window, width + 5, width + 3, first, end);
    }
  }
  const y = new Float32Array(tokens * width);
  const rows = bench.floats(out, tokens * (width + 5));
  for (let token = 0; token < tokens; token++) y.set(rows.subarray(token * (width + 5), token * (width + 5) + width), token * width);
  expect(rows.every((value, i) => i % (width + 5) < width || value === 7), 'nothing written between rows').toBe(true);
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
const CACHES: readonly Cache[] = KV_TYPES;
/** What a cache keeps of rows. */
const KEPT: Readonly<Record<Cache, (x: Float32Array, headDim: number) => ArrayLike<number>>> = {
  f32: (x) => x,
  f16: throughHalves,
  q8_0: (x, headDim) => throughCodes(x, headDim, 127),
  q4_0: (x, headDim) => throughCodes(x, headDim, 8),
};
const inIntegers = (cache: Cache): boolean => cache === 'q8_0' || cache === 'q4_0';

describe.each(SHAPES)('attention, %i heads on %i, %i dims, %i tokens', (heads, kvHeads, headDim, tokens) => {
  const sizes = { heads, kvHeads, headDim, scale: Math.fround(1 / Math.sqrt(headDim)) };
  const data = inputs(sizes, tokens, heads * 1000 + headDim);
  const context = tokens + 3;

  describe.each(CACHES)('%s cache', (cache) => {
    const whole = run(load('simd'), sizes, { ...data, tokens, chunk: tokens, context, cache });

    it('agrees with the reference', () => {
      const { q, k, v } = data;
      const expected = inIntegers(cache)
        ? attentionQ8(q, k, v, 0, sizes, cache === 'q8_0' ? 127 : 8)
        : attention(q, KEPT[cache](k, headDim), KEPT[cache](v, headDim), 0, sizes);
      const worst = whole.reduce((error, value, i) => Math.max(error, Math.abs(value - expected[i]!)), 0);
      expect(worst).toBeLessThanOrEqual(inIntegers(cache) ? Q8_ATTENTION_TOLERANCE : ATTENTION_TOLERANCE);
    });

    it.each(buildsHere())('gives the same bits in chunks and split among threads, %s build', (build) => {
      for (const chunk of [1, 7, 64]) {
        expect(firstDifference(run(load(build), sizes, { ...data, tokens, chunk, context, cache }), whole)).toBe(-1);
      }
      for (const chunk of [1, tokens]) expect(firstDifference(run(load(build), sizes, { ...data, tokens, chunk, context, cache, split: true }), whole)).toBe(-1);
    });
  });
});

describe.each([1, 5, 32, 40, 64, 100])('a window of %i', (window) => {
  const sizes = { heads: 4, kvHeads: 2, headDim: 16, scale: 0.25 }, tokens = 150;
  const data = inputs(sizes, tokens, window);

  it.each(CACHES)('sees so many positions and no others, whatever is split, %s cache', (cache) => {
    const base = { ...data, tokens, chunk: tokens, context: tokens, cache, window };
    const whole = run(load('simd'), sizes, base);
    const { q, k, v } = data, seen = { ...sizes, window };
    const expected = inIntegers(cache) ? attentionQ8(q, k, v, 0, seen, cache === 'q8_0' ? 127 : 8) : attention(q, KEPT[cache](k, 16), KEPT[cache](v, 16), 0, seen);
    const worst = whole.reduce((error, value, i) => Math.max(error, Math.abs(value - expected[i]!)), 0);
    expect(worst).toBeLessThanOrEqual(inIntegers(cache) ? Q8_ATTENTION_TOLERANCE : ATTENTION_TOLERANCE);
    for (const build of buildsHere()) {
      for (const chunk of [1, 7, 64, tokens]) expect(firstDifference(run(load(build), sizes, { ...base, chunk, split: chunk > 7 }), whole), `${build}, ${chunk}`).toBe(-1);
    }
    expect(firstDifference(run(load('simd'), sizes, { ...base, window: tokens }), run(load('simd'), sizes, { ...base, window: 0 }))).toBe(-1);
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
    const kept = KEPT[cache](v, 16);
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
    const { table, state } = newPages(bench, cache, sizes, tokens), { positions, pages, tiles, count } = tablesOf(bench, table, 0, tokens);
    const [scratch, out] = [exports[`attention_scratch_bytes_${cache}`](headDim, 2), tokens * 64 * 4].map((bytes) => bench.allocate(bytes));
    exports[`kv_store_${cache}`](state, bench.place(k), bench.place(v), positions, pages, kvHeads, headDim, 32, 32, 0, tokens);
    bench.floats(out!, tokens * 64).fill(NaN);
    exports[`attention_f32_${cache}`](out!, bench.place(q), state, positions, pages, tiles, scratch!, count, heads, kvHeads, headDim, scale, 0, 64, 64, 0, (count * kvHeads) / 2);
    expect(bench.floats(out!, tokens * 64).every((value, i) => Number.isNaN(value) === i % 64 >= 32)).toBe(true);
  });

  it.each(CACHES)('an empty range touches nothing, %s cache', (cache) => {
    const bench = load(build);
    const { exports } = bench;
    expect(() => exports[`attention_f32_${cache}`](0, 0, 0, 0, 0, 0, bench.allocate(4096), 0, 4, 2, 16, 1, 0, 64, 64, 0, 0)).not.toThrow();
  });

  it('keeps the nearest f16, ties to even, subnormals and infinities too', () => {
    const edges = [0, -0, 1 + 2 ** -11, 1 + 3 * 2 ** -11, -(1 + 2 ** -11 + 2 ** -20), 65504, 65519.99, -65520, 1e38, Infinity, 2 ** -14, 2 ** -24, 2 ** -25, 3 * 2 ** -25, -6.1e-5, 0.1];
    const one = { heads: 1, kvHeads: 1, headDim: 19, scale: 1 }, v = Float32Array.from([...edges, 1, 2, 3]);
    const y = run(load(build), one, { q: new Float32Array(19), k: v.map((x) => (Math.abs(x) < 6e4 ? x : 0)), v, tokens: 1, chunk: 1, context: 1, cache: 'f16' });
    expect(Array.from(y, (x) => x + 0)).toEqual(Array.from(throughHalves(v), (x) => x + 0));
  });

  it('keeps the codes that ggml gives a block of q4_0, whatever its extreme', () => {
    const one = { heads: 1, kvHeads: 1, headDim: 160, scale: 1 }, v = randomFloats(160, random(4), 1), zeros = new Float32Array(160);
    v.fill(0, 0, 32);
    v.fill(1e-31, 32, 64);
    v.set([-3, 3], 70);
    v.set([3, -3], 100);
    const y = run(load(build), one, { q: zeros, k: zeros, v, tokens: 1, chunk: 1, context: 1, cache: 'q4_0' });
    const expected = throughCodes(v, 160, 8), worst = y.reduce((error, value, i) => Math.max(error, Math.abs(value - expected[i]!)), 0);
    expect(worst).toBeLessThan(1e-6);
    expect(y.some((value, i) => value !== v[i])).toBe(true);
  });

  it.each(CACHES)('many bad values make no sum of others bad: one head of infinities, %s cache', (cache) => {
    const { q, k, v } = inputs(sizes, tokens, 7), clean = run(load(build), sizes, { q, k, v, tokens, chunk: tokens, context: tokens, cache });
    for (let token = 0; token < tokens; token++) v.fill(-Infinity, token * 32, token * 32 + 16);
    const y = run(load(build), sizes, { q, k, v, tokens, chunk: tokens, context: tokens, cache });
    expect(y.every((value, i) => (i % 64 < 32 ? !Number.isFinite(value) : value === clean[i]))).toBe(true);
  });

  it('pages hold as many tokens as the plans think', () => expect(load(build).exports.kv_page_tokens()).toBe(KEY_BLOCK));

  it.each(CACHES)('rows of several sequences in one call have the bits that each has alone, %s cache', (cache) => {
    const lengths = [1, 33, 70, 9], { heads, kvHeads, headDim, scale } = sizes;
    const each = lengths.map((count, i) => inputs(sizes, count, 50 + i));
    const alone = each.map((data, i) => run(load(build), sizes, { ...data, tokens: lengths[i]!, chunk: lengths[i]!, context: lengths[i]!, cache }));
    const bench = load(build), { exports } = bench, rows = lengths.reduce((a, b) => a + b, 0);
    const joined = (key: 'q' | 'k' | 'v') => bench.place(Float32Array.from(each.flatMap((data) => Array.from(data[key]))));
    const [positions, pages, tiles] = [[] as number[], [] as number[], [] as number[]];
    for (const count of lengths) {
      const { table } = newPages(bench, cache, sizes, count), first = positions.length;
      positions.push(...Array.from({ length: count }, (_, i) => i));
      pages.push(...Array.from({ length: count }, () => table));
      for (let i = 0; i < count; i += 3) tiles.push(first + i, Math.min(3, count - i));
    }
    const at = [positions, pages, tiles].map((list) => bench.place(Int32Array.from(list))) as [number, number, number];
    exports[`kv_store_${cache}`](64, joined('k'), joined('v'), at[0], at[1], kvHeads, headDim, 32, 32, 0, rows);
    const out = bench.allocate(rows * 64 * 4), scratch = bench.allocate(exports[`attention_scratch_bytes_${cache}`](headDim, 2));
    exports[`attention_f32_${cache}`](out, joined('q'), 64, ...at, scratch, tiles.length / 2, heads, kvHeads, headDim, scale, 0, 64, 64, 0, (tiles.length / 2) * kvHeads);
    expect(firstDifference(bench.floats(out, rows * 64), Float32Array.from(alone.flatMap((y) => Array.from(y))))).toBe(-1);
  });
});
