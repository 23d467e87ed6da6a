import { describe } from 'vitest';
import { scale } from '../reference/scale.js';
import { type RowKernel, testRows, testSpecial } from './rows.js';

const kernel: RowKernel = {
  inputs: 1,
  call: (exports, { y, x, n, yStride, xStride, first, end }) => exports.scale_f32(y, x[0]!, 1.7, n, yStride, xStride[0]!, first, end),
  reference: ([row]) => scale(row!, 1.7),
  tolerance: 0,
};

describe('scale_f32', () => {
  testRows(kernel);
  testSpecial(kernel);
});

/** The factor of a row is its first element, so that the reference, which sees one row at a time, knows it. */
describe('scale_rows_f32', () => {
  testRows({
    ...kernel,
    call: (exports, { bench, y, x, n, yStride, xStride, first, end }) => {
      const factors = Float32Array.from({ length: end }, (_, row) => bench.floats(x[0]! + row * xStride[0]! * 4, 1)[0]!);
      exports.scale_rows_f32(y, x[0]!, bench.place(factors, 4), n, yStride, xStride[0]!, first, end);
    },
    reference: ([row]) => scale(row!, row![0]!),
  });
});
