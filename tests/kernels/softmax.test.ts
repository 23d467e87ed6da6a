import { describe, expect, it } from 'vitest';
import { SOFTMAX_TOLERANCE, softmax } from '../reference/softmax.js';
import { type RowKernel, testRows } from './rows.js';
import { buildsHere, firstDifference, load, random, randomFloats } from './support.js';

const SCALE = Math.fround(0.7);
const kernel: RowKernel = {
  inputs: 1,
  call: (exports, { y, x, n, yStride, xStride, first, end }) => exports.softmax_f32(y, x[0]!, n, yStride, xStride[0]!, SCALE, first, end),
  reference: ([x]) => softmax(x!, SCALE),
  tolerance: SOFTMAX_TOLERANCE,
};

describe('softmax_f32', () => {
  testRows(kernel, 10);

  it.each(buildsHere())('-Infinity counts for nothing; NaN, Infinity and rows of -Infinity give NaN, %s build', (build) => {
    const row = (values: number[]) => {
      const bench = load(build), x = bench.place(Float32Array.from(values), 4);
      bench.exports.softmax_f32(x, x, values.length, values.length, values.length, 1, 0, 1);
      return [...bench.floats(x, values.length)];
    };
    expect(row([-Infinity, 3, -Infinity, -Infinity, 3])).toEqual([0, 0.5, 0, 0, 0.5]);
    expect(row([1e38, -1e38, 0, 1e38])).toEqual([0.5, 0, 0, 0.5]);
    expect(row([0, -0])).toEqual([0.5, 0.5]);
    for (const bad of [[NaN, 1, 2, 3, 4], [1, 2, 3, 4, NaN], [-Infinity, -Infinity], [Infinity, 1]]) expect(row(bad).every(Number.isNaN)).toBe(true);
  });
});

describe('probabilities_f32', () => {
  const logits = randomFloats(50257, random(3), 12);

  it.each(buildsHere())('agrees with the reference over a vocabulary, the same bits in place, %s build', (build) => {
    const compute = (on: typeof build, inPlace: boolean) => {
      const bench = load(on), x = bench.place(logits, 4), y = inPlace ? x : bench.allocate(logits.byteLength);
      bench.exports.probabilities_f32(y, x, logits.length, 1.25);
      return bench.floats(y, logits.length).slice();
    };
    const y = compute(build, false), expected = softmax(logits, 1.25);
    expect(y.every((value, i) => Math.abs(value - expected[i]!) <= SOFTMAX_TOLERANCE)).toBe(true);
    expect(y.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 4);
    expect(firstDifference(compute(build, true), y)).toBe(-1);
    expect(firstDifference(compute('scalar', false), y)).toBe(-1);
  });
});
