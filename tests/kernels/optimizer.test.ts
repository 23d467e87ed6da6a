import { describe, expect, it } from 'vitest';
import { ADAMW_TOLERANCE, adamw, type AdamwSettings, SUM_SQUARES_TOLERANCE, sumSquares } from '../reference/adamw.js';
import { DROPOUT_TOLERANCE, dropout } from '../reference/dropout.js';
import { zeros } from '../reference/elements.js';
import { benchOf, LENGTHS } from './rows.js';
import { buildsHere, expectWithin, firstDifference, random, randomFloats, type TrainBench } from './support.js';

const COUNTS = [...LENGTHS, 1023, 1024, 1025, 3001];
const blocks = (count: number, size = 1024): number => Math.ceil(count / size);
const f32 = Math.fround;

/** The result of `call` for a whole range and for one cut in three, in every build: all the same bits. */
function sameEverywhere(items: number, call: (bench: TrainBench, ranges: [number, number][]) => Float32Array): Float32Array {
  const whole = call(benchOf('scalar'), [[0, items]]), cut = Math.min(1, items);
  for (const build of buildsHere()) {
    for (const ranges of [[[0, items]], [[cut, items], [0, cut], [cut, cut]]] as [number, number][][]) expect(firstDifference(call(benchOf(build), ranges), whole)).toBe(-1);
  }
  return whole;
}

const SETTINGS: AdamwSettings = { rate: f32(1e-3), beta1: f32(0.9), beta2: f32(0.95), epsilon: f32(1e-8), decay: f32(0.1), step: 3, gradientScale: f32(0.37) };

function settingsOf({ rate, beta1, beta2, epsilon, decay, step, gradientScale }: AdamwSettings): Float32Array {
  return Float32Array.of(rate, beta1, beta2, epsilon, decay, 1 - beta1 ** step, 1 - beta2 ** step, gradientScale);
}

describe('adamw_f32', () => {
  it.each(COUNTS)('agrees with the reference for %i parameters, the same bits split and in every build', (count) => {
    const next = random(count);
    const [p, g, m] = [randomFloats(count, next), randomFloats(count, next, 3), randomFloats(count, next)], v = randomFloats(count, next).map(Math.abs);
    const result = sameEverywhere(blocks(count), (bench, ranges) => {
      const at = [p, g, m, v].map((values) => bench.place(Float32Array.of(...values, 7), 4)) as [number, number, number, number];
      const settings = bench.place(settingsOf(SETTINGS));
      for (const [first, end] of ranges) bench.exports.adamw_f32(...at, settings, count, first, end);
      return Float32Array.from([at[0], at[2], at[3]].flatMap((address) => Array.from(bench.floats(address, count + 1))));
    });
    const steps = Array.from(p, (value, i) => adamw(value, g[i]!, m[i]!, v[i]!, SETTINGS));
    expectWithin(result, [0, 1, 2].flatMap((part) => steps.map((step) => step[part]!).concat(7)), ADAMW_TOLERANCE);
  });

  it('a gradient of zero leaves zeros as they are: the padding of packed matrices', () => {
    const bench = benchOf('simd'), zeros = () => bench.place(new Float32Array(8));
    const p = zeros();
    bench.exports.adamw_f32(p, zeros(), zeros(), zeros(), bench.place(settingsOf(SETTINGS)), 8, 0, 1);
    expect([...bench.floats(p, 8)]).toEqual(new Array(8).fill(0));
  });
});

describe('sum_squares_f32', () => {
  it.each([...COUNTS, 4095, 4096, 4097, 9000])('agrees with the reference for %i elements, a partial sum per block of 4,096', (count) => {
    const x = randomFloats(count, random(count), 1e20), n = blocks(count, 4096);
    const result = sameEverywhere(n, (bench, ranges) => {
      const partials = bench.allocate(n * 8), at = bench.place(Float32Array.of(...x, 1e30), 4);
      for (const [first, end] of ranges) bench.exports.sum_squares_f32(partials, at, count, first, end);
      return bench.floats(partials, 2 * n).slice();
    });
    const expected = Array.from({ length: n }, (_, block) => sumSquares(x.subarray(block * 4096, (block + 1) * 4096)));
    expectWithin(new Float64Array(result.buffer), expected, (value) => SUM_SQUARES_TOLERANCE * value);
  });
});

describe('elements of whole tensors', () => {
  it.each(COUNTS)('zero_f32 of %i elements, and no more', (count) => {
    const result = sameEverywhere(blocks(count), (bench, ranges) => {
      const at = bench.place(new Float32Array(count + 1).fill(7), 4);
      for (const [first, end] of ranges) if (end > first) bench.exports.zero_f32(at, count, first, end);
      return bench.floats(at, count + 1).slice();
    });
    expect(firstDifference(result, Float32Array.of(...zeros(count), 7))).toBe(-1);
  });
});

describe('dropout_f32', () => {
  const run = (bench: TrainBench, x: Float32Array, columns: number, seed: number, rate: number, ranges: [number, number][], inPlace = false) => {
    const rows = x.length / columns, stride = columns + 3, spread = new Float32Array(rows * stride).fill(7);
    for (let row = 0; row < rows; row++) spread.set(x.subarray(row * columns, (row + 1) * columns), row * stride);
    const from = bench.place(spread, 4), to = inPlace ? from : bench.place(new Float32Array(rows * stride).fill(7), 4);
    for (const [first, end] of ranges) bench.exports.dropout_f32(to, from, columns, stride, stride, seed, rate, first, end);
    const y = bench.floats(to, rows * stride);
    expect(y.every((value, i) => i % stride < columns || value === 7)).toBe(true);
    return Float32Array.from(x, (_, i) => y[Math.floor(i / columns) * stride + (i % columns)]!);
  };

  it.each(LENGTHS)('drops what the reference drops, %i columns', (columns) => {
    const x = randomFloats(5 * columns, random(columns)), rate = f32(0.3);
    for (const seed of [0, 1, 0x9e3779b9 | 0, -5]) {
      const y = sameEverywhere(5, (bench, ranges) => run(bench, x, columns, seed, rate, ranges, ranges.length > 1));
      expectWithin(y, dropout(x, seed, rate), (value) => DROPOUT_TOLERANCE * Math.abs(value));
    }
  });

  it('drops the asked share, independently for neighbouring seeds and elements; nothing at rate 0', () => {
    const bench = benchOf('simd'), n = 100000, ones = new Float32Array(n).fill(1);
    const dropped = (seed: number, rate = 0.25) => Array.from(run(bench, ones, n, seed, f32(rate), [[0, 1]]), (value) => Number(value === 0));
    const share = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / n;
    const [one, two] = [dropped(1), dropped(2)];
    expect(share(one)).toBeCloseTo(0.25, 2);
    expect(share(one.map((value, i) => value * two[i]!))).toBeCloseTo(0.0625, 2);
    expect(share(one.map((value, i) => value * (one[i + 1] ?? 0)))).toBeCloseTo(0.0625, 2);
    expect(share(dropped(1, 0))).toBe(0);
  });
});
