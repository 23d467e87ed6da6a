import { describe, expect, it } from 'vitest';
import { FREQUENCY_TOLERANCE, ROPE_TOLERANCE, type RopeScale, rope, ropeFrequencies, ropeGrad } from '../reference/rope.js';
import type { Build } from '../../src/kernels/instance.js';
import { type Bench, bits, buildsHere, expectWithin, firstDifference, load, loadTrain, random, randomFloats } from './support.js';

const KINDS = ['none', 'linear', 'yarn', 'llama3', 'yarn_exact'] as const;
const UNSCALED: RopeScale = { kind: 'none', factor: 1, low: 0, high: 0, originalContext: 0 };

function frequencies(bench: Bench, dims: number, base: number, { kind, factor, low, high, originalContext }: RopeScale): { address: number; values: Float64Array } {
  const address = bench.allocate(dims * 4);
  bench.exports.rope_frequencies(address, dims, base, KINDS.indexOf(kind), factor, low, high, originalContext);
  return { address, values: new Float64Array(bench.bytes(address, dims * 4).slice().buffer) };
}

function angles(bench: Bench, dims: number, base: number, scale: RopeScale, position: number, m: number, factor = 1): { address: number; values: Float32Array } {
  const address = bench.allocate(m * dims * 4 + 4) + 4;
  const positions = bench.place(Int32Array.from({ length: m }, (_, i) => position + i));
  bench.exports.rope_angles(address, frequencies(bench, dims, base, scale).address, dims / 2, positions, m, factor);
  return { address, values: bench.floats(address, m * dims).slice() };
}

const SCALES: [string, number, number, RopeScale][] = [
  ['llama 2', 128, 10000, UNSCALED],
  ['two dims', 2, 10000, UNSCALED],
  ['linear by 4', 64, 10000, { ...UNSCALED, kind: 'linear', factor: 4 }],
  ['yarn, qwen2.5 at 4 x 32768', 128, 1e6, { kind: 'yarn', factor: 4, low: 1, high: 32, originalContext: 32768 }],
  ['yarn, a short context', 16, 10000, { kind: 'yarn', factor: 16, low: 1, high: 32, originalContext: 64 }],
  ['yarn with bounds that are not rounded', 64, 150000, { kind: 'yarn_exact', factor: 32, low: 1, high: 32, originalContext: 4096 }],
  ['llama 3.1', 128, 500000, { kind: 'llama3', factor: 8, low: 1, high: 4, originalContext: 8192 }],
  ['llama 3.2', 64, 500000, { kind: 'llama3', factor: 32, low: 1, high: 4, originalContext: 8192 }],
];

describe.each(buildsHere())('rope, %s build', (build) => {
  it.each(SCALES)('frequencies: %s', (_, dims, base, scale) => {
    const { values } = frequencies(load(build), dims, base, scale);
    ropeFrequencies(dims, base, scale).forEach((expected, i) => expect(Math.abs(values[i]! / expected - 1)).toBeLessThanOrEqual(FREQUENCY_TOLERANCE));
  });

  it('the attention factor is YaRN’s, and 1 for the others', () => {
    const { rope_attention_factor: factor } = load(build).exports;
    expect([factor(2, 4), factor(4, 4)]).toEqual([expect.closeTo(0.1 * Math.log(4) + 1, 15), factor(2, 4)]);
    expect([factor(2, 1), factor(0, 4), factor(1, 4), factor(3, 8)]).toEqual([1, 1, 1, 1]);
  });

  it.each([0, 1, 1000, 131071])('angles at position %i are f64 cosines and sines, rounded once', (position) => {
    const bench = load(build), dims = 64, m = 3;
    const { values } = frequencies(bench, dims, 500000, UNSCALED);
    const table = angles(bench, dims, 500000, UNSCALED, position, m, 1.5).values;
    for (let i = 0; i < m; i++) {
      values.forEach((frequency, j) => {
        const angle = (position + i) * frequency;
        expect(Math.abs(table[i * dims + j]! - 1.5 * Math.cos(angle))).toBeLessThanOrEqual(6e-8 * 1.5);
        expect(Math.abs(table[i * dims + dims / 2 + j]! - 1.5 * Math.sin(angle))).toBeLessThanOrEqual(6e-8 * 1.5);
      });
    }
  });

  it('angles do not depend on where a block of tokens begins', () => {
    const bench = load(build);
    const whole = angles(bench, 32, 10000, UNSCALED, 100, 9).values;
    expect(bits(angles(bench, 32, 10000, UNSCALED, 104, 5).values)).toEqual(bits(whole.slice(4 * 32)));
    expect(bits(whole)).toEqual(bits(angles(load('scalar'), 32, 10000, UNSCALED, 100, 9).values));
  });

  const shapes = [[1, 2, 2], [3, 8, 8], [2, 10, 6], [9, 64, 64], [2, 80, 32], [1, 48, 48], [4, 18, 18]] as const;
  it.each(shapes)('rotation of %i heads of %i, first %i dims, both styles', (heads, headDim, dims) => {
    const rows = 5, width = heads * headDim, stride = width + 3;
    const x = randomFloats(rows * stride, random(width), 2);
    const rotate = (on: typeof build, style: number, parts: [number, number][]) => {
      const bench = load(on), at = bench.place(x, 4);
      const { address, values } = angles(bench, dims, 10000, UNSCALED, 17, rows);
      for (const [first, end] of parts) bench.exports.rope_f32(at, address, 0, heads, headDim, dims, style, 0, stride, first, end);
      return { y: bench.floats(at, rows * stride).slice(), table: values };
    };
    for (const [style, name] of (['interleaved', 'neox'] as const).entries()) {
      const { y, table } = rotate(build, style, [[0, rows]]);
      for (let row = 0; row < rows; row++) {
        const expected = rope(x.subarray(row * stride, row * stride + width), table.subarray(row * dims, row * dims + dims), headDim, dims, name);
        expected.forEach((value, i) => expect(Math.abs(y[row * stride + i]! - value)).toBeLessThanOrEqual(ROPE_TOLERANCE * 4));
        expect(bits(y.slice(row * stride + width, row * stride + stride))).toEqual(bits(x.slice(row * stride + width, row * stride + stride)));
      }
      expect(firstDifference(rotate(build, style, [[2, rows], [0, 2]]).y, y)).toBe(-1);
      expect(firstDifference(rotate('scalar', style, [[0, rows]]).y, y)).toBe(-1);
    }
  });
});

describe('rope_f32 of rows that are named', () => {
  const positions = [3, 0, 7, 7, 1], rows = positions.length, table = 9;

  it.each([[1, 2, 2], [3, 8, 8], [2, 10, 6], [2, 64, 64], [1, 18, 18]])('%i heads of %i, first %i dims: rows at their positions, and back', (heads, headDim, dims) => {
    const width = heads * headDim, stride = width + 3, x = randomFloats(rows * stride, random(width), 2);
    const rotate = (build: Build, style: number, inverse: number, ranges: [number, number][]) => {
      const bench = loadTrain(build), at = bench.place(x, 4), { address, values } = angles(bench, dims, 10000, UNSCALED, 0, table);
      const positionsAt = bench.place(Int32Array.from(positions));
      for (const [first, end] of ranges) bench.exports.rope_f32(at, address, positionsAt, heads, headDim, dims, style, inverse, stride, first, end);
      return { y: bench.floats(at, rows * stride).slice(), values };
    };
    for (const [style, name] of (['interleaved', 'neox'] as const).entries()) {
      for (const [inverse, expected] of [rope, ropeGrad].entries()) {
        const { y, values } = rotate('scalar', style, inverse, [[0, rows]]);
        positions.forEach((position, row) => {
          const [from, to] = [row * stride, row * stride + width];
          const row64 = expected(x.subarray(from, to), values.subarray(position * dims, (position + 1) * dims), headDim, dims, name);
          expectWithin(y.subarray(from), row64, ROPE_TOLERANCE * 4);
          expect(bits(y.slice(to, from + stride))).toEqual(bits(x.slice(to, from + stride)));
        });
        for (const build of buildsHere()) expect(firstDifference(rotate(build, style, inverse, [[2, rows], [0, 2]]).y, y)).toBe(-1);
      }
    }
  });
});
