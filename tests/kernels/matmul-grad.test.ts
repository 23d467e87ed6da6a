import { describe, expect, it } from 'vitest';
import { DTYPES, type DType } from '../../src/files/types.js';
import { FILE_BLOCK, dequantize, randomRaw } from '../reference/dequantize.js';
import { matmul, matmulGradW, matmulGradWInOrder, matmulGradX, matmulGradXInOrder } from '../reference/matmul.js';
import { buildsHere, firstDifference, loadTrain, random, randomFloats, type TrainBench } from './support.js';

interface Shape {
  m: number;
  n: number;
  k: number;
}

const name = ({ m, n, k }: Shape) => `m ${m}, n ${n}, k ${k}`;
const padded = (size: number) => Math.ceil(size / 8) * 8;

/** Rows of `width` values put `stride` apart in memory, the rest of each row filled with `fill`. */
function placeRows(bench: TrainBench, values: Float32Array, width: number, stride: number, fill: number): number {
  const rows = values.length / width, out = new Float32Array(rows * stride).fill(fill);
  for (let row = 0; row < rows; row++) out.set(values.subarray(row * width, row * width + width), row * stride);
  return bench.place(out, 4);
}

function rowsAt(bench: TrainBench, address: number, rows: number, width: number, stride: number): Float32Array {
  const all = bench.floats(address, rows * stride);
  return Float32Array.from({ length: rows * width }, (_, at) => all[Math.floor(at / width) * stride + (at % width)]!);
}

const indexInGroups = (k: number) => (at: number) => {
  const row = Math.floor(at / k), column = at % k;
  return ((row >> 3) * k + column) * 8 + (row & 7);
};

function place(bench: TrainBench, type: DType, raw: Uint8Array, n: number, k: number): number {
  const packed = bench.allocate(bench.exports[`packed_bytes_${type}`](n, k));
  bench.exports[`repack_${type}`](packed, bench.place(raw), n, k);
  return packed;
}

/** Items 0..items in calls that end at `cuts`, the last part first. */
function inParts(items: number, cuts: number[], call: (first: number, end: number) => void): void {
  const ends = [0, ...cuts.filter((cut) => cut > 0 && cut < items), items];
  for (let i = ends.length - 1; i > 0; i--) call(ends[i - 1]!, ends[i]!);
}

interface GradX extends Shape {
  type: DType;
  dy: Float32Array;
  raw: Uint8Array;
  /** Added to when it is given. */
  dx?: Float32Array;
  cuts?: number[];
}

function gradX(bench: TrainBench, { type, m, n, k, dy, raw, dx, cuts = [] }: GradX): Float32Array {
  const { exports } = bench, dyStride = padded(n) + 8, dxStride = padded(k) + 8;
  const w = place(bench, type, raw, n, k);
  const from = placeRows(bench, dy, n, dyStride, 0), to = placeRows(bench, dx ?? new Float32Array(m * k).fill(NaN), k, dxStride, NaN);
  const scratch = bench.allocate(exports.matmul_grad_scratch_bytes(k));
  inParts(exports.matmul_grad_x_items(k), cuts, (first, end) => {
    exports[`matmul_f32_${type}_grad_x`](to, from, w, scratch, m, n, k, dxStride, dyStride, dx ? 1 : 0, first, end);
  });
  const beyond = bench.floats(to, m * dxStride).filter((_, at) => at % dxStride >= padded(k));
  expect(beyond.every(Number.isNaN)).toBe(true);
  return rowsAt(bench, to, m, k, dxStride);
}

/** What dw of zeros becomes, continued from `dw`; x and dy in `batches` of tokens. */
function gradW(bench: TrainBench, { m, n, k }: Shape, dw: Float32Array, dy: Float32Array, x: Float32Array, cuts: number[] = [], batches = [0, m]): Float32Array {
  const { exports } = bench, dyStride = padded(n) + 8, xStride = padded(k) + 8, groups = padded(n) / 8, index = indexInGroups(k);
  const packed = bench.place(new Float32Array(groups * 8 * k), 4);
  dw.forEach((value, at) => (bench.floats(packed, groups * 8 * k)[index(at)] = value));
  const from = placeRows(bench, dy, n, dyStride, 0), activations = placeRows(bench, x, k, xStride, 0);
  const scratch = bench.allocate(exports.matmul_grad_scratch_bytes(k));
  batches.slice(1).forEach((last, i) => {
    const token = batches[i]!;
    inParts(groups, cuts, (first, end) => {
      exports.matmul_f32_grad_w(packed, from + token * dyStride * 4, activations + token * xStride * 4, scratch, last - token, k, dyStride, xStride, first, end);
    });
  });
  const all = bench.floats(packed, groups * 8 * k);
  if (n % 8) expect(all.filter((_, at) => (at & 7) >= n % 8 && at >= (groups - 1) * 8 * k).every((value) => value === 0)).toBe(true);
  return Float32Array.from(dw, (_, at) => all[index(at)]!);
}

/** Edges of tiles (4, 8), items (32), and blocks (256) on all three sides. */
const SHAPES: Shape[] = [
  { m: 1, n: 1, k: 1 }, { m: 3, n: 13, k: 5 }, { m: 4, n: 8, k: 32 }, { m: 9, n: 40, k: 67 },
  { m: 261, n: 24, k: 12 }, { m: 11, n: 20, k: 1061 }, { m: 6, n: 267, k: 40 }, { m: 5, n: 9, k: 299 },
];
const blockShapes = (type: DType): Shape[] =>
  FILE_BLOCK[type].columns === 1 ? SHAPES.slice(0, 4) : [{ m: 5, n: 13, k: FILE_BLOCK[type].columns }, { m: 2, n: 259, k: 768 }];

describe('the reference', () => {
  it('is the derivative of the product', () => {
    const m = 3, n = 4, k = 5, next = random(1), step = 1e-3;
    const x = randomFloats(m * k, next), w = randomFloats(n * k, next), dy = randomFloats(m * n, next);
    const loss = (x: Float32Array, w: Float32Array) => matmul(x, w, m, n, k).reduce((sum, y, i) => sum + y * dy[i]!, 0);
    const slope = (values: Float32Array, at: number, value: (changed: Float32Array) => number) => {
      const [more, less] = [step, -step].map((by) => values.map((x, i) => (i === at ? x + by : x)));
      return (value(more!) - value(less!)) / (more![at]! - less![at]!);
    };
    matmulGradX(dy, w, m, n, k).forEach((gradient, at) => expect(gradient).toBeCloseTo(slope(x, at, (changed) => loss(changed, w)), 9));
    matmulGradW(dy, x, m, n, k).forEach((gradient, at) => expect(gradient).toBeCloseTo(slope(w, at, (changed) => loss(x, changed)), 9));
  });
});

describe.each(buildsHere())('gradients of matmul, %s build', (build) => {
  describe.each(DTYPES)('of x, %s weights', (type) => {
    it.each(blockShapes(type).map((shape) => [name(shape), shape] as const))('%s: the written order, to the bit', (_, shape) => {
      const { m, n, k } = shape, next = random(m + n + k), bench = loadTrain(build);
      const dy = randomFloats(m * n, next), raw = randomRaw(type, n, k, next), w = dequantize(type, raw);
      const zero = new Float32Array(m * k), before = randomFloats(m * k, next);
      const dx = gradX(bench, { ...shape, type, dy, raw });
      expect(firstDifference(dx, matmulGradXInOrder(zero, dy, w, m, n, k))).toBe(-1);
      expect(firstDifference(gradX(bench, { ...shape, type, dy, raw, cuts: [1, 3, 9] }), dx)).toBe(-1);
      expect(firstDifference(gradX(bench, { ...shape, type, dy, raw, dx: before }), matmulGradXInOrder(before, dy, w, m, n, k))).toBe(-1);
      const exact = matmulGradX(dy, w, m, n, k), size = matmulGradX(dy.map(Math.abs), w.map(Math.abs), m, n, k);
      expect(dx.every((value, i) => Math.abs(value - exact[i]!) <= 1e-5 * size[i]! + 1e-30)).toBe(true);
    });
  });

  it.each(SHAPES.map((shape) => [name(shape), shape] as const))('of x, blocks: %s', (_, shape) => {
    const { m, n, k } = shape, next = random(m * n + k), bench = loadTrain(build);
    const dy = randomFloats(m * n, next), w = randomFloats(n * k, next);
    const dx = gradX(bench, { ...shape, type: 'f32', dy, raw: new Uint8Array(w.buffer), cuts: [2, 5] });
    expect(firstDifference(dx, matmulGradXInOrder(new Float32Array(m * k), dy, w, m, n, k))).toBe(-1);
  });

  it.each(SHAPES.map((shape) => [name(shape), shape] as const))('of w: %s: the written order, to the bit', (_, shape) => {
    const { m, n, k } = shape, next = random(m + n * k), bench = loadTrain(build);
    const dy = randomFloats(m * n, next), x = randomFloats(m * k, next), before = randomFloats(n * k, next);
    const dw = gradW(bench, shape, before, dy, x);
    expect(firstDifference(dw, matmulGradWInOrder(before, dy, x, m, n, k))).toBe(-1);
    expect(firstDifference(gradW(bench, shape, before, dy, x, [1, 3]), dw)).toBe(-1);
    expect(firstDifference(gradW(bench, shape, before, dy, x, [2], [0, m >> 1, m]), dw)).toBe(-1);
    const exact = matmulGradW(dy, x, m, n, k), size = matmulGradW(dy.map(Math.abs), x.map(Math.abs), m, n, k);
    expect(dw.every((value, i) => Math.abs(value - before[i]! - exact[i]!) <= 1e-5 * (size[i]! + 1))).toBe(true);
  });
});
