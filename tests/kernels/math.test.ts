import { describe, expect, it } from 'vitest';
import { geluErf, silu } from '../reference/activation.js';
import { type Bench, buildsHere, firstDifference, load, random } from './support.js';

/** |actual - expected| in units in the last place of an f32 at `expected`. */
function ulps(actual: number, expected: number): number {
  return Math.abs(actual - expected) / 2 ** (Math.floor(Math.log2(Math.abs(expected))) - 23);
}

function worstUlps(actual: Float32Array, expected: (i: number) => number): number {
  return actual.reduce((worst, value, i) => Math.max(worst, ulps(value, expected(i))), 0);
}

function unary(bench: Bench, kernel: 'silu_f32' | 'gelu_erf_f32' | 'tanh_f32', x: Float32Array): Float32Array {
  const at = bench.place(x);
  bench.exports[kernel](at, at, x.length, x.length, x.length, 0, 1);
  return bench.floats(at, x.length).slice();
}

/** e^x / (1 + e^x) for x <= 0, as softmax of [x, 0]. */
function logistic(bench: Bench, x: Float32Array): Float32Array {
  const at = bench.place(Float32Array.from({ length: 2 * x.length }, (_, i) => (i % 2 ? 0 : x[i / 2]!)));
  bench.exports.softmax_f32(at, at, 2, 2, 2, 1, 0, x.length);
  return bench.floats(at, 2 * x.length).slice().filter((_, i) => i % 2 === 0);
}

/** Floats from 0 to `end`: half evenly spaced, half evenly in their exponents. */
function sweep(end: number, count = 100000): Float32Array {
  const next = random(9);
  return Float32Array.from({ length: count }, () => (next() < 0.5 ? end * next() : end * 2 ** (-30 * next())));
}

// exp has no export of its own: it is seen through softmax (negative arguments) and SiLU (positive ones).
describe.each(buildsHere())('math, %s build', (build) => {
  it('exp of negative numbers: 1 ulp; near 0, where softmax divides by more than 1, 2.5 together', () => {
    const x = sweep(86.9).map((value) => -value), far = x.filter((value) => value < -17.4);
    expect(worstUlps(logistic(load(build), far), (i) => Math.exp(far[i]!))).toBeLessThanOrEqual(1);
    expect(worstUlps(logistic(load(build), x), (i) => Math.exp(x[i]!) / (1 + Math.exp(x[i]!)))).toBeLessThanOrEqual(2.5);
  });

  it('exp of positive numbers: 3 ulp, addition and division of SiLU included', () => {
    const x = sweep(88.7).map((value) => -value);
    expect(worstUlps(unary(load(build), 'silu_f32', x), (i) => silu(x[i]!))).toBeLessThanOrEqual(3);
  });

  it('exp is 0 below -87, infinite above 88.7229, 1 at 0', () => {
    expect([...logistic(load(build), Float32Array.of(-87.1, -88, -104, -1e30, -Infinity, 0, -0, 1e-45))]).toEqual([0, 0, 0, 0, 0, 0.5, 0.5, 0.5]);
    const [last, past, far] = unary(load(build), 'silu_f32', Float32Array.of(-88.722831, -88.722848, -1e30));
    expect(ulps(last!, silu(Math.fround(-88.722831)))).toBeLessThanOrEqual(3);
    expect([past, far]).toEqual([-0, -0]);
  });

  it('tanh: 2 ulp', () => {
    const x = sweep(12);
    const y = unary(load(build), 'tanh_f32', x);
    expect(worstUlps(y, (i) => Math.tanh(x[i]!))).toBeLessThanOrEqual(2);
    expect(firstDifference(unary(load(build), 'tanh_f32', x.map((value) => -value)).map((value) => -value), y)).toBe(-1);
  });

  it('exact GELU: its tail too is right to 1e-5, relative', () => {
    const x = Float32Array.from({ length: 1800 }, (_, i) => -9 + i / 100);
    unary(load(build), 'gelu_erf_f32', x).forEach((value, i) => {
      const expected = geluErf(x[i]!);
      expect(Math.abs(value - expected)).toBeLessThanOrEqual(1e-5 * Math.abs(expected));
    });
  });

  it('exp_f64 and log_f64: 1 ulp of f64', () => {
    const { exp_f64: exp, log_f64: log } = load(build).exports;
    for (let x = -700; x < 700; x += 0.73) {
      expect(Math.abs(exp(x) / Math.exp(x) - 1)).toBeLessThanOrEqual(2 ** -51);
      const value = Math.exp(x);
      expect(Math.abs(log(value) - Math.log(value))).toBeLessThanOrEqual(2 ** -51 * Math.abs(x));
    }
    expect([exp(-Infinity), exp(0), exp(1000), log(0), log(1), log(-1), exp(NaN)]).toEqual([0, 1, Infinity, -Infinity, 0, NaN, NaN]);
  });
});
