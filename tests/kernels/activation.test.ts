import { describe } from 'vitest';
import { activationTolerance, gelu, geluErf, silu } from '../reference/activation.js';
import { type RowKernel, testRows, testSpecial } from './rows.js';

const plain = (name: 'silu_f32' | 'gelu_f32' | 'gelu_erf_f32' | 'tanh_f32', reference: (x: number) => number): RowKernel => ({
  inputs: 1,
  call: (exports, { y, x, n, yStride, xStride, first, end }) => exports[name](y, x[0]!, n, yStride, xStride[0]!, first, end),
  reference: ([x]) => Array.from(x!, reference),
  tolerance: activationTolerance,
});

const gated = (name: 'silu_mul_f32' | 'gelu_mul_f32', reference: (x: number) => number): RowKernel => ({
  inputs: 2,
  call: (exports, { y, x, n, yStride, xStride, first, end }) => exports[name](y, x[0]!, x[1]!, n, yStride, xStride[0]!, xStride[1]!, first, end),
  reference: ([gate, up]) => Array.from(gate!, (value, i) => reference(value) * up![i]!),
  tolerance: (expected) => 2 * activationTolerance(expected) + 1e-7,
});

const KERNELS: [string, RowKernel][] = [
  ['silu_f32', plain('silu_f32', silu)],
  ['gelu_f32', plain('gelu_f32', gelu)],
  ['gelu_erf_f32', plain('gelu_erf_f32', geluErf)],
  ['tanh_f32', plain('tanh_f32', Math.tanh)],
  ['silu_mul_f32', gated('silu_mul_f32', silu)],
  ['gelu_mul_f32', gated('gelu_mul_f32', gelu)],
];

describe.each(KERNELS)('%s', (name, kernel) => {
  testRows(kernel, 3);
  describe('over a wide range', () => testRows(kernel, 30));
  if (!name.includes('mul')) testSpecial(kernel);
});
