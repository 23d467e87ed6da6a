// f32 products with one rounding per product: in every build as near to f64 as the others; where there is no such instruction, the very same bits.
import { describe, expect, it } from 'vitest';
import { matmul, matmulGradW, matmulGradX } from '../reference/matmul.js';
import { benchOf } from './rows.js';
import { buildsHere, firstDifference, random, randomFloats } from './support.js';

const SHAPES = [[1, 8, 8], [5, 16, 40], [8, 24, 33], [261, 16, 264], [23, 264, 1064]] as const;
const TOLERANCE = 1e-5;

interface Results {
  y: Float32Array;
  dx: Float32Array;
  dw: Float32Array;
}

/** Forward and both gradients, plain or fused; rows of w and dw unpacked from groups of 8. */
function run(build: Parameters<typeof benchOf>[0], [m, n, k]: readonly [number, number, number], fused: boolean, [x, w, dy]: readonly Float32Array[]): Results {
  const { exports, allocate, place, floats } = benchOf(build);
  const width = Math.ceil(k / 8) * 8, rows = new Float32Array(m * width);
  for (let row = 0; row < m; row++) rows.set(x!.subarray(row * k, row * k + k), row * width);
  const packed = allocate(exports.packed_bytes_f32(n, k)), scratch = allocate(Math.max(exports.matmul_scratch_bytes(k), exports.matmul_grad_scratch_bytes(k)));
  exports.repack_f32(packed, place(w!), n, k);
  const [input, gradient, y, dx, dw] = [place(rows), place(dy!), place(new Float32Array(m * n)), place(new Float32Array(m * width)), place(new Float32Array(n * k))];
  const [forward, gradX, gradW] = fused
    ? [exports.matmul_f32_f32_fused, exports.matmul_f32_f32_grad_x_fused, exports.matmul_f32_grad_w_fused]
    : [exports.matmul_f32_f32, exports.matmul_f32_f32_grad_x, exports.matmul_f32_grad_w];
  const items = exports.matmul_grad_x_items(k);
  for (const [first, end] of [[n >> 4, n / 8], [0, n >> 4]] as const) if (end > first) forward(y, input, packed, scratch, m, k, n, width, first, end);
  for (const [first, end] of [[items >> 1, items], [0, items >> 1]] as const) if (end > first) gradX(dx, gradient, packed, scratch, m, n, k, width, n, 0, first, end);
  gradW(dw, gradient, input, scratch, m, k, n, width, 0, n / 8);
  return {
    y: floats(y, m * n).slice(),
    dx: Float32Array.from({ length: m * k }, (_, at) => floats(dx, m * width)[Math.floor(at / k) * width + (at % k)]!),
    dw: Float32Array.from({ length: n * k }, (_, at) => floats(dw, n * k)[((Math.floor(at / k) >> 3) * k + (at % k)) * 8 + (Math.floor(at / k) & 7)]!),
  };
}

describe.each(buildsHere())('fused products, %s build', (build) => {
  it.each(SHAPES)('%i x %i x %i', (m, n, k) => {
    const next = random(m * n + k), inputs = [randomFloats(m * k, next), randomFloats(n * k, next), randomFloats(m * n, next)] as const;
    const [x, w, dy] = inputs, [ax, aw, ady] = inputs.map((values) => values.map(Math.abs)) as [Float32Array, Float32Array, Float32Array];
    const found = run(build, [m, n, k], true, inputs);
    const near = (values: Float32Array, exact: Float64Array, size: Float64Array) => values.every((value, i) => Math.abs(value - exact[i]!) <= TOLERANCE * size[i]! + 1e-30);
    expect(near(found.y, matmul(x, w, m, n, k), matmul(ax, aw, m, n, k)), 'forward').toBe(true);
    expect(near(found.dx, matmulGradX(dy, w, m, n, k), matmulGradX(ady, aw, m, n, k)), 'of x').toBe(true);
    expect(near(found.dw, matmulGradW(dy, x, m, n, k), matmulGradW(ady, ax, m, n, k)), 'of w').toBe(true);
    if (build === 'relaxed') return;
    const plain = run(build, [m, n, k], false, inputs);
    for (const part of ['y', 'dx', 'dw'] as const) expect(firstDifference(found[part], plain[part]), part).toBe(-1);
  });
});
