import { describe, expect, it } from 'vitest';
import { gelu, geluErfSlope, geluSlope, silu, siluSlope, SLOPE_TOLERANCE, tanhSlope } from '../reference/activation.js';
import { biasGrad, COLUMN_SUM_TOLERANCE } from '../reference/bias.js';
import { embedGrad } from '../reference/embed.js';
import { LAYERNORM_GRAD_TOLERANCE, layernormGrad } from '../reference/layernorm.js';
import { RMSNORM_GRAD_TOLERANCE, rmsnormGrad } from '../reference/rmsnorm.js';
import { benchOf, LENGTHS, type RowKernel, testRows } from './rows.js';
import { buildsHere, expectWithin, firstDifference, random, randomFloats, type TrainBench } from './support.js';

const EPS = Math.fround(1e-5);
const weights = (n: number) => randomFloats(n, random(n + 1), 2);
const largest = (values: ArrayLike<number>): number => Array.from(values).reduce((best, value) => Math.max(best, Math.abs(value)), 0);

const activation = (name: 'silu_f32_grad' | 'gelu_f32_grad' | 'gelu_erf_f32_grad' | 'tanh_f32_grad', slope: (x: number) => number): RowKernel => ({
  inputs: 2,
  call: (exports, { y, x, n, yStride, xStride, first, end }) => exports[name](y, x[0]!, x[1]!, n, yStride, xStride[0]!, xStride[1]!, first, end),
  reference: ([dy, x]) => Array.from(x!, (value, i) => dy![i]! * slope(value)),
  tolerance: 10 * SLOPE_TOLERANCE, // |dy| <= 10
});

/** `part` of the two results is looked at; the other goes beside it. */
const gate = (name: 'silu_mul_f32_grad' | 'gelu_mul_f32_grad', part: 'gate' | 'up', forward: (x: number) => number, slope: (x: number) => number): RowKernel => ({
  inputs: 3,
  call: (exports, { bench, y, x, n, yStride, xStride, first, end }) => {
    const beside = bench.allocate(end * n * 4), [dgate, dup] = part === 'gate' ? [y, beside] : [beside, y];
    const [dgateStride, dupStride] = part === 'gate' ? [yStride, n] : [n, yStride];
    exports[name](dgate, dup, x[0]!, x[1]!, x[2]!, n, dgateStride, dupStride, ...(xStride as [number, number, number]), first, end);
  },
  reference: ([dy, gates, up]) => Array.from(gates!, (value, i) => (part === 'gate' ? dy![i]! * up![i]! * slope(value) : dy![i]! * forward(value))),
  tolerance: 100 * SLOPE_TOLERANCE,
});

const KERNELS: [string, RowKernel][] = [
  ['silu_f32_grad', activation('silu_f32_grad', siluSlope)],
  ['gelu_f32_grad', activation('gelu_f32_grad', geluSlope)],
  ['gelu_erf_f32_grad', activation('gelu_erf_f32_grad', geluErfSlope)],
  ['tanh_f32_grad', activation('tanh_f32_grad', tanhSlope)],
  ['silu_mul_f32_grad by gate', gate('silu_mul_f32_grad', 'gate', silu, siluSlope)],
  ['silu_mul_f32_grad by up', gate('silu_mul_f32_grad', 'up', silu, siluSlope)],
  ['gelu_mul_f32_grad by gate', gate('gelu_mul_f32_grad', 'gate', gelu, geluSlope)],
  ['gelu_mul_f32_grad by up', gate('gelu_mul_f32_grad', 'up', gelu, geluSlope)],
];

describe.each(KERNELS)('%s', (_, kernel) => testRows(kernel, 10));

describe.each(buildsHere())('gradients of activations far out, %s build', (build) => {
  it.each(['silu', 'gelu', 'gelu_erf', 'tanh'] as const)('%s: 1 or 0, never NaN', (name) => {
    const bench = benchOf(build), far = [20, 88, 89, 100, 1000, 1e10];
    const x = bench.place(Float32Array.from([...far, ...far.map((value) => -value)])), one = bench.place(new Float32Array(12).fill(1));
    bench.exports[`${name}_f32_grad`](x, one, x, 12, 12, 12, 12, 0, 1);
    bench.floats(x, 12).forEach((slope, i) => expect(slope).toBeCloseTo(name !== 'tanh' && i < 6 ? 1 : 0, 6));
  });
});

/** dx of a norm, written or added to a row of `before`. */
const rmsnorm = (groups: number, accumulate: boolean): RowKernel => ({
  inputs: 2,
  width: (n) => n * groups,
  call: (exports, { bench, y, x, n, yStride, xStride, first, end }) => {
    if (accumulate && y !== x[0]) copyRows(bench.floats(y, 5 * yStride), yStride, bench.floats(x[0]!, 5 * xStride[0]!), xStride[0]!, n * groups, first, end);
    exports.rmsnorm_f32_grad(y, bench.allocate(5 * groups * 4), x[0]!, x[1]!, bench.place(weights(n), 4), n, groups, yStride, xStride[0]!, xStride[1]!, EPS, accumulate ? 1 : 0, first, end);
  },
  reference: ([dy, x], n) => rmsnormGrad(dy!, x!, weights(n), n, EPS).dx.map((value, i) => value + (accumulate ? dy![i]! : 0)),
  tolerance: 2e-5,
});

const layernorm = (accumulate: boolean): RowKernel => ({
  inputs: 2,
  call: (exports, { bench, y, x, n, yStride, xStride, first, end }) => {
    if (accumulate && y !== x[0]) copyRows(bench.floats(y, 5 * yStride), yStride, bench.floats(x[0]!, 5 * xStride[0]!), xStride[0]!, n, first, end);
    exports.layernorm_f32_grad(y, bench.allocate(5 * 8), x[0]!, x[1]!, bench.place(weights(n), 4), n, yStride, xStride[0]!, xStride[1]!, EPS, accumulate ? 1 : 0, first, end);
  },
  reference: ([dy, x], n) => layernormGrad(dy!, x!, weights(n), EPS).dx.map((value, i) => value + (accumulate ? dy![i]! : 0)),
  // A row of two elements may lie close together, which divides its gradient by a small deviation.
  tolerance: 2e-4,
});

function copyRows(to: Float32Array, toStride: number, from: Float32Array, fromStride: number, width: number, first: number, end: number): void {
  for (let row = first; row < end; row++) to.set(from.subarray(row * fromStride, row * fromStride + width), row * toStride);
}

describe.each([[1, false], [3, false], [1, true], [2, true]])('rmsnorm_f32_grad, %i vectors per row, added to what is there: %s', (groups, accumulate) => testRows(rmsnorm(groups, accumulate)));
describe.each([false, true])('layernorm_f32_grad, added to what is there: %s', (accumulate) => testRows(layernorm(accumulate)));

/** Gradients of vectors: `call` adds to `columns` numbers at `to` what the items first … end are about. */
interface Sums {
  columns: number;
  call: (bench: TrainBench, to: number, first: number, end: number) => void;
  expected: ArrayLike<number>;
  tolerance: number;
}

/** Agreement with the reference on top of what is there, nothing written past the end, split ranges, equal builds. */
function expectSums({ columns, call, expected, tolerance }: Sums): void {
  const items = Math.ceil(columns / 16), before = randomFloats(columns + 1, random(columns));
  const run = (bench: TrainBench, split: number) => {
    const to = bench.place(before, 4);
    for (const [first, end] of [[split, items], [0, split]] as const) call(bench, to, first, end);
    return bench.floats(to, columns + 1).slice();
  };
  const result = run(benchOf('scalar'), 0);
  expectWithin(result, Array.from(before, (value, i) => value + (expected[i] ?? 0)), tolerance * (largest(expected) + 1));
  expect(result[columns]).toBe(before[columns]);
  for (const build of buildsHere()) for (const split of [0, items >> 1]) expect(firstDifference(run(benchOf(build), split), result)).toBe(-1);
}

const ROWS = 13;
const unstride = (rows: Float32Array, width: number, stride: number) => Float32Array.from({ length: (rows.length / stride) * width }, (_, i) => rows[Math.floor(i / width) * stride + (i % width)]!);

describe('gradients of vectors: sums over rows', () => {
  it.each(LENGTHS)('bias_f32_grad, %i columns', (columns) => {
    const stride = columns + 3, dy = randomFloats(ROWS * stride, random(columns), 2);
    expectSums({
      columns,
      call: (bench, to, first, end) => bench.exports.bias_f32_grad(to, bench.place(dy, 4), ROWS, columns, stride, first, end),
      expected: biasGrad(unstride(dy, columns, stride), columns),
      tolerance: ROWS * COLUMN_SUM_TOLERANCE,
    });
  });

  it.each(LENGTHS)('rmsnorm_f32_grad_w, %i columns, 2 vectors per row', (n) => {
    const stride = 2 * n + 3, dy = randomFloats(ROWS * stride, random(n), 2), x = randomFloats(ROWS * stride, random(n + 1), 2);
    expectSums({
      columns: n,
      call: ({ exports, place, allocate }, to, first, end) => {
        const inverse = allocate(2 * ROWS * 4), dx = allocate(ROWS * stride * 4), [dyAt, xAt] = [place(dy, 4), place(x, 4)];
        exports.rmsnorm_f32_grad(dx, inverse, dyAt, xAt, place(weights(n)), n, 2, stride, stride, stride, EPS, 0, 0, ROWS);
        exports.rmsnorm_f32_grad_w(to, dyAt, xAt, inverse, ROWS, n, 2, stride, stride, first, end);
      },
      expected: rmsnormGrad(unstride(dy, 2 * n, stride), unstride(x, 2 * n, stride), weights(n), n, EPS).dw,
      tolerance: ROWS * RMSNORM_GRAD_TOLERANCE,
    });
  });

  it.each(LENGTHS)('layernorm_f32_grad_w, %i columns', (n) => {
    const stride = n + 3, dy = randomFloats(ROWS * stride, random(n), 2), x = randomFloats(ROWS * stride, random(n + 1), 2);
    const rows = Array.from({ length: ROWS }, (_, row) => row * stride);
    const dw = rows.map((at) => layernormGrad(dy.subarray(at, at + n), x.subarray(at, at + n), weights(n), EPS).dw);
    const grad = ({ exports, place, allocate }: TrainBench, to: number, bias: number, first: number, end: number) => {
      const stats = allocate(ROWS * 8), dx = allocate(ROWS * stride * 4), [dyAt, xAt] = [place(dy, 4), place(x, 4)];
      exports.layernorm_f32_grad(dx, stats, dyAt, xAt, place(weights(n)), n, stride, stride, stride, EPS, 0, 0, ROWS);
      exports.layernorm_f32_grad_w(to, bias, dyAt, xAt, stats, ROWS, n, stride, stride, first, end);
    };
    const sums = { columns: n, tolerance: ROWS * LAYERNORM_GRAD_TOLERANCE };
    const expected = Array.from({ length: n }, (_, i) => dw.reduce((sum, row) => sum + row[i]!, 0));
    expectSums({ ...sums, expected, call: (bench, to, first, end) => grad(bench, to, 0, first, end) });
    expectSums({ ...sums, expected, call: (bench, to, first, end) => grad(bench, to, bench.allocate(n * 4), first, end) });
    const bias = biasGrad(unstride(dy, n, stride), n);
    expectSums({ ...sums, expected: bias, call: (bench, to, first, end) => grad(bench, bench.allocate(n * 4), to, first, end) });
  });
});

describe('embed_f32_grad', () => {
  const ids = [3, 0, 20, 3, 7, 8, 3, 15, 20, 16], rows = 24, groups = rows / 8;

  it.each([1, 3, 4, 5, 16, 33])('%i columns: every id’s rows, in the packed table, split by groups', (columns) => {
    const stride = columns + 2, dy = randomFloats(ids.length * stride, random(columns));
    const run = (bench: TrainBench, splits: [number, number][]) => {
      const table = bench.place(new Float32Array(rows * columns).fill(1)), [dyAt, idsAt] = [bench.place(dy, 4), bench.place(Int32Array.from(ids))];
      for (const [first, end] of splits) bench.exports.embed_f32_grad(table, dyAt, idsAt, ids.length, columns, stride, first, end);
      return bench.floats(table, rows * columns).slice();
    };
    const packed = run(benchOf('scalar'), [[0, groups]]), expected = embedGrad(unstride(dy, columns, stride), ids, rows, columns);
    expected.forEach((value, i) => {
      const row = Math.floor(i / columns), column = i % columns;
      expect(Math.abs(packed[((row >> 3) * columns + column) * 8 + (row & 7)]! - 1 - value)).toBeLessThan(1e-6);
    });
    for (const build of buildsHere()) {
      for (const splits of [[[0, groups]], [[2, 3], [0, 1], [1, 2]]] as [number, number][][]) expect(firstDifference(run(benchOf(build), splits), packed)).toBe(-1);
    }
  });
});
