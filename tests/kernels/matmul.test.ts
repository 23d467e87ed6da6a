import { describe, expect, it } from 'vitest';
import { DTYPES, type DType } from '../../src/files/types.js';
import { FILE_BLOCK, QUANTISED, type Quantised, dequantize, randomRaw } from '../reference/dequantize.js';
import { matmul, matmulInOrder, matmulQ8InOrder } from '../reference/matmul.js';
import { quantize } from '../reference/quantize.js';
import { type Bench, bits, buildsHere, load, random, randomFloats } from './support.js';

interface Shape {
  m: number;
  n: number;
  k: number;
}

/** Packs w, multiplies, and returns y without its padding; groups are computed in two calls split at `split`. */
function run(bench: Bench, type: DType, activations: 'f32' | 'q8', x: Float32Array, raw: Uint8Array, { m, n, k }: Shape, split = 0): Float32Array {
  const { exports } = bench;
  const groups = Math.ceil(n / 8);
  const yStride = groups * 8 + 4, xStride = k + 1;
  const packed = bench.allocate(exports[`packed_bytes_${type}`](n, k)) + 16;
  bench.allocate(64);
  exports[`repack_${type}`](packed, bench.place(raw), n, k);
  const rows = new Float32Array(m * xStride);
  for (let row = 0; row < m; row++) rows.set(x.subarray(row * k, row * k + k), row * xStride);
  const from = bench.place(rows, 4), y = bench.allocate(m * yStride * 4 + 4) + 4;
  const scratch = bench.allocate(exports.matmul_scratch_bytes(k));
  bench.bytes(scratch, exports.matmul_scratch_bytes(k)).fill(0xff);
  bench.floats(y, m * yStride).fill(NaN);
  const xq = bench.allocate(exports.q8_row_bytes(k) * m + 4) + 4;
  if (activations === 'q8') for (let row = 0; row < m; row++) exports.quantize_q8(xq, from, k, xStride, m, type === 'q8_0' ? 1 : 0, row, row + 1);
  for (const [first, end] of [[split, groups], [0, split]] as const) {
    if (activations === 'q8') exports[`matmul_q8_${type as Quantised}`](y, xq, packed, scratch, m, k, yStride, first, end);
    else exports[`matmul_f32_${type}`](y, from, packed, scratch, m, k, yStride, xStride, first, end);
  }
  return Float32Array.from({ length: m * n }, (_, at) => bench.floats(y, m * yStride)[Math.floor(at / n) * yStride + (at % n)]!);
}

const row = (values: Float32Array, width: number, at: number) => values.slice(at * width, at * width + width);

/** Relative to the sum of the magnitudes of the products. */
function closeTo(actual: Float32Array, x: Float32Array, w: Float32Array, { m, n, k }: Shape, tolerance: number): void {
  const exact = matmul(x, w, m, n, k);
  const size = matmul(x.map(Math.abs), w.map(Math.abs), m, n, k);
  for (let i = 0; i < m * n; i++) expect(Math.abs(actual[i]! - exact[i]!)).toBeLessThanOrEqual(tolerance * size[i]! + 1e-30);
}

const blockOf = (type: DType) => FILE_BLOCK[type].columns;
const shapes = (type: DType): Shape[] =>
  blockOf(type) === 1
    ? [{ m: 1, n: 1, k: 1 }, { m: 1, n: 40, k: 172 }, { m: 9, n: 24, k: 48 }, { m: 4, n: 13, k: 3 }, { m: 6, n: 7, k: 65 }, { m: 5, n: 9, k: 299 }, { m: 259, n: 7, k: 4 }]
    : [{ m: 1, n: 8, k: blockOf(type) }, { m: 9, n: 25, k: 512 }, { m: 6, n: 3, k: 256 }, { m: 3, n: 16, k: 768 }];
const name = ({ m, n, k }: Shape) => `m ${m}, n ${n}, k ${k}`;

describe.each(buildsHere())('matmul, %s build', (build) => {
  describe.each(DTYPES)('f32 activations, %s weights', (type) => {
    it.each(shapes(type).map((shape) => [name(shape), shape] as const))('%s: the written order, to the bit', (_, shape) => {
      const { m, n, k } = shape, next = random(m + n + k);
      const x = randomFloats(m * k, next), raw = randomRaw(type, n, k, next), w = dequantize(type, raw);
      const bench = load(build);
      const y = run(bench, type, 'f32', x, raw, shape);
      expect(bits(y)).toEqual(bits(matmulInOrder(x, w, m, n, k)));
      closeTo(y, x, w, shape, 1e-5);
      expect(bits(run(bench, type, 'f32', x, raw, shape, Math.ceil(n / 16)))).toEqual(bits(y));
      expect(bits(run(bench, type, 'f32', x.slice(0, k), raw, { m: 1, n, k }))).toEqual(bits(row(y, n, 0)));
    });
  });

  describe.each(QUANTISED)('int8 activations, %s weights', (type) => {
    it.each(shapes(type).map((shape) => [name(shape), shape] as const))('%s: the written order, to the bit', (_, shape) => {
      const { m, n, k } = shape, next = random(m + n + k);
      const x = randomFloats(m * k, next, 3), raw = randomRaw(type, n, k, next);
      const bench = load(build);
      const y = run(bench, type, 'q8', x, raw, shape);
      expect(bits(y)).toEqual(bits(matmulQ8InOrder(type, x, raw, m, n, k)));
      closeTo(y, x, dequantize(type, raw), shape, 1e-2);
      expect(bits(run(bench, type, 'q8', x, raw, shape, Math.ceil(n / 16)))).toEqual(bits(y));
    });

    it('keeps the order over panels of columns and rounds of tokens', () => {
      const shape = { m: 69, n: 9, k: 1792 }, { m, n, k } = shape, next = random(11);
      const x = randomFloats(m * k, next), raw = randomRaw(type, n, k, next);
      expect(bits(run(load(build), type, 'q8', x, raw, shape))).toEqual(bits(matmulQ8InOrder(type, x, raw, m, n, k)));
    });

    it('gives every token the same bits alone and among 1 to 9', () => {
      const n = 16, k = 256, next = random(7);
      const x = randomFloats(9 * k, next), raw = randomRaw(type, n, k, next);
      const bench = load(build);
      const all = run(bench, type, 'q8', x, raw, { m: 9, n, k });
      for (let m = 1; m < 9; m++) {
        expect(bits(run(bench, type, 'q8', x.slice((9 - m) * k), raw, { m, n, k }))).toEqual(bits(all.slice((9 - m) * n)));
      }
    });

    const sign = (i: number) => (i % 2 ? 1 : -1);
    const extremes: [string, (i: number) => number, number, () => number][] = [
      ['all bits set, activations at +127', () => 1, 0xff, () => 0x7bff],
      ['all bits set, activations at +-127', sign, 0xff, () => 0xfbff],
      ['-128 or the least code, activations at -127', () => -1, 0x80, () => 0x7bff],
      ['q8_0 codes of +127, activations at +-127', sign, 0x7f, () => 0x7bff],
      ['q8_0 codes of +127, activations at -127', () => -1, 0x7f, () => 0x7bff],
      ['zero codes and huge activations', (i) => sign(i) * 3e38, 0, () => 0x7bff],
      ['activations whose sums overflow', () => 3e38, 0x7f, () => 0x3c00],
      ['a NaN among the activations', (i) => (i % 256 === 77 ? NaN : sign(i)), 0xa5, () => 0x3c00],
      ['one block far above the others', (i) => (i & 224 ? 1 : 3e4) * (1 + (i % 7)), 0xa5, () => 0x3c00],
      ['zero scales', sign, 0x7f, () => 0x8000],
      ['zero activations', () => 0, 0xa5, () => 0x3c00],
      ['tiny activations', (i) => sign(i) * 1e-38, 0xa5, () => 0x3c00],
    ];
    it.each(extremes)('is exact with %s', (_, x, byte, scale) => {
      const shape = { m: 5, n: 8, k: 256 };
      const raw = randomRaw(type, shape.n, shape.k, () => byte / 256, scale);
      const values = Float32Array.from({ length: shape.m * shape.k }, (_, i) => x(i));
      const y = run(load(build), type, 'q8', values, raw, shape);
      expect(bits(y)).toEqual(bits(matmulQ8InOrder(type, values, raw, shape.m, shape.n, shape.k)));
    });
  });

  it('multiplies f16 exactly, whatever lies side by side: subnormals, values of 128 and more, infinities, huge activations', () => {
    const n = 80, k = 40, bench = load(build); // pairs of groups: subnormals, three with a group that stays f16, one of plain values
    const small = randomRaw('f16', n, k, random(13), () => 0x2c00), halves = new Uint16Array(small.buffer, small.byteOffset, n * k);
    halves.subarray(0, 4 * k).forEach((half, i, rows) => (rows[i] = half & 0x83ff));
    [[25, 0x5800], [40, 0x7bff], [57, 0xfc00], [62, 0x7e01], [77, 0x57ff]].forEach(([row, bits]) => (halves[row! * k + 7] = bits!));
    for (const factor of [1, 2 ** 25, 2 ** 26, 2 ** 27, 1e38, 1e-40, Infinity]) {
      const x = randomFloats(k, random(17)).map((value, i) => (i % 5 ? value : value * factor));
      const y = run(bench, 'f16', 'f32', x, small, { m: 1, n, k });
      expect([...y], `activations times ${factor}`).toEqual([...matmulInOrder(x, dequantize('f16', small), 1, n, k)]);
    }
  });

  it('takes f32 weights that no cache holds one group at a time, to the same bits', () => {
    const shape = { m: 1, n: 24, k: 8200 }, next = random(19), x = randomFloats(shape.k, next), raw = randomRaw('f32', shape.n, shape.k, next);
    expect(bits(run(load(build), 'f32', 'f32', x, raw, shape))).toEqual(bits(matmulInOrder(x, dequantize('f32', raw), 1, shape.n, shape.k)));
  });

  it('takes addresses above 2 GiB', () => {
    const shape = { m: 5, n: 16, k: 256 }, next = random(11);
    const x = randomFloats(shape.m * shape.k, next), bench = load(build);
    bench.allocate(2 ** 31);
    for (const type of ['f32', 'f16', 'q8_0', 'q6_K'] as const) {
      const raw = randomRaw(type, shape.n, shape.k, next);
      expect(bits(run(bench, type, 'f32', x, raw, shape))).toEqual(bits(matmulInOrder(x, dequantize(type, raw), shape.m, shape.n, shape.k)));
      if (type === 'f32' || type === 'f16') continue;
      expect(bits(run(bench, type, 'q8', x, raw, shape))).toEqual(bits(matmulQ8InOrder(type, x, raw, shape.m, shape.n, shape.k)));
    }
  });

  it('multiplies some of the rows that were quantised together, in the form for any', () => {
    const shape = { m: 7, n: 16, k: 512 }, { n, k } = shape, next = random(9), x = randomFloats(shape.m * k, next), raw = randomRaw('q8_0', n, k, next);
    const bench = load(build), { exports } = bench, whole = run(bench, 'q8_0', 'q8', x, raw, shape);
    const packed = bench.allocate(exports.packed_bytes_q8_0(n, k)), y = bench.allocate(shape.m * n * 4);
    const xq = bench.allocate(exports.q8_row_bytes(k) * shape.m), scratch = bench.allocate(exports.matmul_scratch_bytes(k));
    exports.repack_q8_0(packed, bench.place(raw), n, k);
    exports.quantize_q8(xq, bench.place(x), k, k, shape.m, 2, 0, shape.m);
    for (const [first, m] of [[2, 1], [1, 5], [0, 4], [6, 1], [0, 7], [4, 3], [1, 6]] as const) {
      exports.matmul_q8_q8_0(y, xq + first * exports.q8_row_bytes(k), packed, scratch, m, k, n, 0, n / 8);
      expect(bits(bench.floats(y, m * n).slice())).toEqual(bits(whole.slice(first * n, (first + m) * n)));
    }
  });

  it('quantises activations by the written rule: halves to even, any range, NaN and infinity contained', () => {
    const next = random(3), k = 32 * 8;
    const x = new Float32Array(4 * k);
    x.set(randomFloats(k, next, 100));
    for (let i = 0; i < k; i++) x[k + i] = i % 32 === 0 ? 127 : (i % 64) - 31.5;
    for (let block = 0; block < 8; block++) x.set(randomFloats(32, next, [1e-45, 1e-39, 1e-30, 3e-30, 1e30, 3.4e38, 1, 1][block]), 2 * k + 32 * block);
    x[2 * k + 200] = NaN;
    x[2 * k + 230] = -Infinity;
    x.fill(3e38, 3 * k + 32, 3 * k + 64); // finite, but its sum is not
    const bench = load(build);
    const rowBytes = bench.exports.q8_row_bytes(k), xq = bench.allocate(rowBytes * 4), wide = build === 'simd';
    bench.exports.quantize_q8(xq, bench.place(x, 4), k, k, 4, 0, 0, 4);
    for (let token = 0; token < 4; token++) {
      const { d, codes, e, sums } = quantize(x.subarray(token * k, token * k + k)), tail = xq + (token + 1) * rowBytes - 32;
      expect([...new Int16Array(bench.bytes(tail, 16).slice().buffer)]).toEqual([...sums]);
      expect(bits(bench.floats(tail + 16, 1).slice())).toEqual(bits(e));
      for (let block = 0; block < 8; block++) {
        const at = xq + token * rowBytes + (wide ? 80 : 48) * block;
        const mine = codes.subarray(block * 32, block * 32 + 32);
        const sum = (values: Int8Array) => values.reduce((total, code) => total + code, 0);
        const pair = (values: Int8Array) => [0 - sum(values.filter((_, i) => (i & 2) === 0)), 0 - sum(values.filter((_, i) => (i & 2) !== 0))];
        expect(bits(bench.floats(at, 2).slice())).toEqual(bits(Float32Array.of(d[block]!, Math.fround(d[block]! * sum(mine)))));
        expect([...new Int16Array(bench.bytes(at + 8, 8).slice().buffer)]).toEqual([...pair(mine), ...pair(mine.subarray(16))]);
        const bytes = bench.bytes(at + 16, wide ? 64 : 32);
        const stored = wide ? new Int16Array(bytes.slice().buffer) : new Int8Array(bytes.slice().buffer);
        const order = wide ? [0, 2, 1, 3] : [0, 1, 2, 3];
        expect([...stored]).toEqual([...mine].map((_, i) => mine[(i & ~3) | order[i & 3]!]));
      }
    }
  });
});
