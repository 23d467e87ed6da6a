import { describe, expect, it } from 'vitest';
import { LAYERNORM_TOLERANCE, layernorm } from '../reference/layernorm.js';
import { RMSNORM_TOLERANCE, rmsnorm } from '../reference/rmsnorm.js';
import { bits, buildsHere, load, random, randomFloats } from './support.js';
import { type RowKernel, testRows, testSpecial } from './rows.js';

const weights = (n: number, seed = 1) => randomFloats(n, random(n + seed), 2);
const EPS = Math.fround(1e-5);

const rmsnormOf = (groups: number): RowKernel => ({
  inputs: 1,
  width: (n) => n * groups,
  call: (exports, { bench, y, x, n, yStride, xStride, first, end }) =>
    exports.rmsnorm_f32(y, x[0]!, bench.place(weights(n), 4), n, groups, yStride, xStride[0]!, EPS, first, end),
  reference: ([x], n) => rmsnorm(x!, weights(n), n, EPS),
  tolerance: (expected) => RMSNORM_TOLERANCE * Math.abs(expected),
});

describe.each([1, 3])('rmsnorm_f32, %i vectors per row', (groups) => {
  testRows(rmsnormOf(groups));
});

const layernormOf = (bias: boolean): RowKernel => ({
  inputs: 1,
  call: (exports, { bench, y, x, n, yStride, xStride, first, end }) =>
    exports.layernorm_f32(y, x[0]!, bench.place(weights(n), 4), bias ? bench.place(weights(n, 5), 4) : 0, n, yStride, xStride[0]!, EPS, first, end),
  reference: ([x], n) => layernorm(x!, weights(n), bias ? weights(n, 5) : undefined, EPS),
  tolerance: LAYERNORM_TOLERANCE,
});

describe.each([true, false])('layernorm_f32, bias %s', (bias) => {
  testRows(layernormOf(bias));

  it.each(buildsHere())('a large common offset does not spoil the variance, %s build', (build) => {
    const bench = load(build);
    const x = Float32Array.from({ length: 100 }, (_, i) => 4096 + (i % 2 ? 0.5 : -0.5));
    const y = bench.allocate(400);
    bench.exports.layernorm_f32(y, bench.place(x), bench.place(new Float32Array(100).fill(1)), 0, 100, 100, 100, EPS, 0, 1);
    const expected = layernorm(x, new Float32Array(100).fill(1), undefined, EPS);
    bench.floats(y, 100).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
  });
});

const ones = new Float32Array(9).fill(1);
describe('norms of NaN and infinities', () => {
  describe('rmsnorm_f32', () => {
    // The squares of 1e30 overflow f32: such a row becomes 0, as in every f32 engine.
    const overflows = (x: number) => Math.fround(x * x);
    testSpecial({
      ...rmsnormOf(1),
      call: (exports, { bench, y, x, n, yStride, xStride, first, end }) => exports.rmsnorm_f32(y, x[0]!, bench.place(ones), n, 1, yStride, xStride[0]!, EPS, first, end),
      reference: ([x], n) => {
        const mean = x!.reduce((sum, value) => sum + overflows(value), 0) / n;
        return Array.from(x!, (value) => value * (1 / Math.sqrt(mean + EPS)));
      },
    });
  });

  it.each(buildsHere())('layernorm_f32 gives a row of NaN, %s build', (build) => {
    for (const special of [NaN, Infinity, -Infinity]) {
      const bench = load(build), x = bench.place(Float32Array.of(1, 2, special, 4, 5)), w = bench.place(ones);
      bench.exports.layernorm_f32(x, x, w, 0, 5, 5, 5, EPS, 0, 1);
      expect(bits(bench.floats(x, 5))).toEqual(bits(new Float32Array(5).fill(NaN)));
    }
  });
});
