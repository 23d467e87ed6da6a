import { describe, expect, it } from 'vitest';
import { figureOf, ratioOf, spreadOf } from '../../src/bench/figure.js';
import { demandOf, rooflineSeconds } from '../../src/bench/models.js';
import { floats, unitMatrix, weightBytes } from '../../src/bench/random.js';
import { syntheticModel } from '../../src/bench/synthetic.js';
import { toFloat32 } from '../../src/files/dtypes.js';
import { openModel } from '../../src/files/index.js';
import { DTYPES } from '../../src/files/types.js';

describe('figures', () => {
  it('are median and quartiles', () => {
    expect(figureOf([5, 1, 4, 2, 3])).toEqual({ median: 3, low: 2, high: 4 });
    expect(figureOf([1, 2])).toEqual({ median: 1.5, low: 1.25, high: 1.75 });
    expect(spreadOf(figureOf([5, 1, 4, 2, 3]))).toBeCloseTo(1 / 3);
  });

  it('of ratios are taken round by round: what slows a whole round does not show', () => {
    expect(ratioOf([2, 20, 200], [1, 10, 100])).toEqual({ median: 2, low: 2, high: 2 });
  });
});

describe('made-up weights', () => {
  it.each(['f16', 'bf16', 'f32'] as const)('in %s are the same numbers', (type) => {
    expect(toFloat32(type, weightBytes(type, 64, 8, 9), 512)).toEqual(floats(512, 9));
  });

  it.each(DTYPES.filter((type) => !/f(16|32)$/.test(type)))('in %s are of a size as in models', (type) => {
    const values = toFloat32(type, weightBytes(type, 512, 8, 9), 4096);
    const size = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
    expect(size).toBeGreaterThan(0.02);
    expect(size).toBeLessThan(0.3);
  });

  it('of the unit matrix', () => {
    const values = toFloat32('q4_0', unitMatrix(64), 64 * 64);
    expect(values.every((value, i) => value === (i % 65 === 0 ? 1 : 0))).toBe(true);
  });
});

describe('what a model asks of a machine', () => {
  it('is counted from its matrices: a tied table is the head', async () => {
    const file = await openModel(await syntheticModel());
    const head = file.tensors.get('token_embd.weight')!;
    const matrices = [...file.tensors.values()].filter(({ type }) => type === 'q4_0');
    const operations = 2 * matrices.reduce((sum, { shape }) => sum + shape[0]! * shape[1]!, 0);
    const bytes = head.bytes + matrices.reduce((sum, tensor) => sum + tensor.bytes, 0);
    expect(demandOf(file)).toEqual({ integer: operations, float: 0, headInteger: 2 * head.shape[0]! * head.shape[1]!, headFloat: 0, bytes });
  });

  it('takes as long as the slower of arithmetic and reading', () => {
    const demand = { integer: 100, float: 10, headInteger: 50, headFloat: 0, bytes: 1000 };
    expect(rooflineSeconds(demand, { integer: 10, float: 1, read: 1e9 }, 1)).toBe(25);
    expect(rooflineSeconds(demand, { integer: 1e9, float: 1e9, read: 10 }, 1)).toBe(100);
    expect(rooflineSeconds(demand, { integer: 10, float: 1, read: 1e9 }, 3)).toBe(65);
    expect(rooflineSeconds(demand, { integer: 1e9, float: 1e9, read: 10 }, 65)).toBe(200);
  });
});
