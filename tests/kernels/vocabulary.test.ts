import { describe, expect, it } from 'vitest';
import { hashWords } from '../reference/hash.js';
import { STATS_TOLERANCE, argmax, logitsStats, topk } from '../reference/vocabulary.js';
import { type Bench, buildsHere, load, random, randomFloats } from './support.js';

const LENGTHS = [...Array.from({ length: 17 }, (_, i) => i + 1), 31, 32, 33, 100, 1000];

function topkOf(bench: Bench, x: Float32Array, count: number): { id: number; value: number }[] {
  const [ids, values] = [bench.allocate(count * 4 + 4), bench.allocate(count * 4 + 4)];
  const found = bench.exports.topk_f32(bench.place(x, 4), x.length, count, ids, values);
  expect(bench.ints(ids, count + 1)[count], 'nothing written past the end').toBe(0);
  return [...bench.ints(ids, found)].map((id, i) => ({ id, value: bench.floats(values, found)[i]! }));
}

function statsOf(bench: Bench, x: Float32Array): number[] {
  const out = bench.allocate(24);
  bench.exports.logits_stats_f32(bench.place(x, 4), x.length, out);
  return [...new Float64Array(bench.bytes(out, 24).slice().buffer)];
}

/** Few different values, so that there are many ties. */
const coarse = (n: number) => randomFloats(n, random(n), 4).map(Math.round);
const fine = (n: number) => randomFloats(n, random(n), 15);

describe.each(buildsHere())('vocabulary kernels, %s build', (build) => {
  const bench = load(build), scalar = load('scalar');

  it.each(LENGTHS)('argmax of %i: the lowest index of the largest', (n) => {
    for (const x of [coarse(n), fine(n), new Float32Array(n)]) expect(bench.exports.argmax_f32(bench.place(x, 4), n)).toBe(argmax(x));
    for (let i = 0; i < n; i++) {
      const x = new Float32Array(n).fill(-1);
      x[i] = 5;
      expect(bench.exports.argmax_f32(bench.place(x, 4), n)).toBe(i);
    }
  });

  it('argmax: a NaN never wins, -Infinity may', () => {
    const of = (...values: number[]) => bench.exports.argmax_f32(bench.place(Float32Array.from(values)), values.length);
    expect(of(NaN, 1, NaN, 3, NaN, NaN)).toBe(3);
    expect(of(NaN, -Infinity, -Infinity)).toBe(1);
    expect(of(NaN, NaN, NaN, NaN, NaN)).toBe(0);
    expect(of(-0, 0, 0, -0, 0)).toBe(0);
    expect(of(1, Infinity, NaN, Infinity)).toBe(1);
  });

  it.each(LENGTHS)('topk of %i: in order, ties by index', (n) => {
    for (const x of [coarse(n), fine(n), fine(n).sort(), fine(n).sort().reverse()]) {
      for (const count of [1, 2, 7, n, n + 3]) expect(topkOf(bench, x, count)).toEqual(topk(x, count));
    }
  });

  it('topk of a large vocabulary', () => {
    const x = fine(32003);
    expect(topkOf(bench, x, 1000)).toEqual(topk(x, 1000));
  });

  it('topk leaves NaN out and keeps -Infinity', () => {
    const x = Float32Array.of(NaN, 1, -Infinity, NaN, 3, NaN, -Infinity, NaN, NaN, 2, NaN);
    expect(topkOf(bench, x, 11).map(({ id }) => id)).toEqual([4, 9, 1, 2, 6]);
    expect(topkOf(bench, x, 2).map(({ id }) => id)).toEqual([4, 9]);
    expect(topkOf(bench, new Float32Array(9).fill(NaN), 3)).toEqual([]);
    expect(topkOf(bench, x, 0)).toEqual([]);
  });

  it.each([...LENGTHS, 50257])('logits_stats of %i', (n) => {
    for (const x of [fine(n), coarse(n), new Float32Array(n)]) {
      const actual = statsOf(bench, x);
      logitsStats(x).forEach((expected, i) => expect(Math.abs(actual[i]! - expected)).toBeLessThanOrEqual(STATS_TOLERANCE));
      expect(actual).toEqual(statsOf(scalar, x));
    }
  });

  it('logits_stats: forbidden logits, a certain one, NaN, infinities', () => {
    expect(statsOf(bench, Float32Array.of(-Infinity, 7, -Infinity, -Infinity, -Infinity, -1e30))).toEqual([7, 7, 0]);
    expect(statsOf(bench, Float32Array.of(-0, -Infinity, -0))).toEqual([0, Math.log(2), Math.log(2)]);
    expect(statsOf(bench, new Float32Array(5).fill(-Infinity))).toEqual([-Infinity, -Infinity, 0]);
    expect(statsOf(bench, Float32Array.of(1, 2, NaN, 3, 0))).toEqual([3, NaN, NaN]);
    expect(statsOf(bench, Float32Array.of(1, Infinity, 0))).toEqual([Infinity, NaN, NaN]);
  });

  it('hash_words is FNV-1a over words and can be continued', () => {
    const words = Uint32Array.from({ length: 1000 }, (_, i) => Math.imul(i + 1, 0x9e3779b1));
    const state = bench.place(BigUint64Array.of(0xcbf29ce484222325n)), x = bench.place(words, 4);
    bench.exports.hash_words(state, x, 333);
    bench.exports.hash_words(state, x + 333 * 4, 667);
    expect(new BigUint64Array(bench.bytes(state, 8).slice().buffer)[0]).toBe(hashWords(words));
    bench.exports.hash_words(state, x, 0);
    expect(new BigUint64Array(bench.bytes(state, 8).slice().buffer)[0]).toBe(hashWords(words));
  });
});
