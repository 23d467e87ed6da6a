import { describe } from 'vitest';
import { type RowKernel, testRows, testSpecial } from './rows.js';
import { random, randomFloats } from './support.js';

const rows: RowKernel = {
  inputs: 2,
  call: (exports, { y, x, n, yStride, xStride, first, end }) => exports.add_f32(y, x[0]!, x[1]!, n, yStride, xStride[0]!, xStride[1]!, first, end),
  reference: ([a, b]) => Array.from(a!, (value, i) => Math.fround(value + b![i]!)),
  tolerance: 0,
};
const biasOf = (n: number) => randomFloats(n, random(n));

describe('add_f32', () => {
  testRows(rows);
  testSpecial(rows);
  describe('of one row to all', () => {
    testRows({
      ...rows,
      inputs: 1,
      call: (exports, { bench, y, x, n, yStride, xStride, first, end }) => exports.add_f32(y, x[0]!, bench.place(biasOf(n), 4), n, yStride, xStride[0]!, 0, first, end),
      reference: ([a], n) => Array.from(a!, (value, i) => Math.fround(value + biasOf(n)[i]!)),
    });
  });
});
