// Values to blocks and back: the codes that ggml's rules give, and for K-quants errors below those of plain rounding.
import { describe, expect, it } from 'vitest';
import { existsSync, readFileSync } from 'node:fs';
import type { DType } from '../../src/files/types.js';
import { dequantize, FILE_BLOCK, halfValue, randomRaw } from '../reference/dequantize.js';
import { asymmetric, symmetric } from '../reference/encode.js';
import { buildsHere, loadTrain, random, randomFloats, type TrainBench } from './support.js';

const TYPES = ['f16', 'bf16', 'q8_0', 'q4_0', 'q4_1', 'q5_0', 'q5_1', 'q4_K', 'q5_K', 'q6_K'] as const;
type Encoded = (typeof TYPES)[number];

function encode(bench: TrainBench, type: Encoded, values: Float32Array): Uint8Array {
  const { columns, bytes } = FILE_BLOCK[type];
  const size = (values.length / columns) * bytes;
  const out = bench.allocate(size);
  bench.exports[`encode_${type}`](out, bench.place(values), values.length);
  return bench.bytes(out, size).slice();
}

const benches = buildsHere().map(loadTrain);
const bench = benches.find(({ build }) => build === 'simd')!;

/** Root of the mean squared difference, over the root of the mean square. */
function relativeError(actual: Float32Array, expected: Float32Array): number {
  const sums = expected.reduce(([error, power], x, i) => [error + (actual[i]! - x) ** 2, power + x * x] as [number, number], [0, 0] as [number, number]);
  return Math.sqrt(sums[0] / sums[1]);
}

/** Numbers with the bell shape of trained weights. */
function weights(count: number, seed: number): Float32Array {
  const next = random(seed);
  return Float32Array.from({ length: count }, () => 0.05 * (next() + next() + next() + next() - 2));
}

describe.each(TYPES)('encode_%s', (type) => {
  it('gives the same bytes in every build', () => {
    const values = weights(2048, 1);
    const [first, ...others] = benches.map((one) => encode(one, type, values));
    for (const other of others) expect(other).toEqual(first);
  });

  it('keeps what its grid holds', () => {
    const next = random(7);
    const scale = () => 0x2400 + Math.floor(next() * 0x800); // positive, neither tiny nor large
    const values = dequantize(type as DType, randomRaw(type, 4, 512, next, scale)).map((x) => (Number.isFinite(x) ? x : 0));
    // Scales are found anew and rounded anew, so K-quants come back close, plain types exactly or with another scale of equal worth.
    const limit = { f16: 0, bf16: 0, q8_0: 0.005, q4_0: 0.09, q4_1: 0.06, q5_0: 0.05, q5_1: 0.03, q4_K: 0.09, q5_K: 0.045, q6_K: 0.02 }[type];
    expect(relativeError(dequantize(type as DType, encode(bench, type, values)), values)).toBeLessThanOrEqual(limit);
  });

  it('stays within the error of its bits on bell-shaped weights', () => {
    const values = weights(8192, 3);
    const limit = { f16: 3e-4, bf16: 2.5e-3, q8_0: 0.006, q4_0: 0.1, q4_1: 0.09, q5_0: 0.05, q5_1: 0.045, q4_K: 0.075, q5_K: 0.04, q6_K: 0.02 }[type];
    const error = relativeError(dequantize(type as DType, encode(bench, type, values)), values);
    expect(error).toBeLessThanOrEqual(limit);
    expect(error).toBeGreaterThan(limit / 4); // or the limit says nothing
  });

  it('takes zeros, single values and constants', () => {
    const zeros = new Float32Array(512);
    expect(dequantize(type as DType, encode(bench, type, zeros)).every((x) => x === 0)).toBe(true);
    const spike = zeros.slice();
    spike[300] = -3;
    expect(dequantize(type as DType, encode(bench, type, spike))[300]).toBeCloseTo(-3, 1);
    const constant = zeros.fill(0.25);
    expect(relativeError(dequantize(type as DType, encode(bench, type, constant)), constant)).toBeLessThan(0.01);
  });
});

/** What is nearest, by trying all f16 numbers. */
function nearestHalf(x: number): number {
  let best = 0;
  for (let bits = 0; bits < 0x7c00; bits++) if (Math.abs(halfValue(bits) - Math.abs(x)) < Math.abs(halfValue(best) - Math.abs(x))) best = bits;
  return best | (x < 0 ? 0x8000 : 0);
}

describe('encode_f16', () => {
  it('rounds to the nearest, also among subnormals, ties to even, and past the range to infinity', () => {
    const next = random(11);
    const values = Float32Array.from([...randomFloats(20, next, 1e-6), ...randomFloats(20, next, 1e-4), ...randomFloats(20, next, 60000)]);
    const encoded = encode(bench, 'f16', values);
    expect([...new Uint16Array(encoded.buffer)]).toEqual([...values].map(nearestHalf));
    const ties = Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, 2 ** -25, 3 * 2 ** -25, 65519, 65520, Infinity, -Infinity);
    expect([...new Uint16Array(encode(bench, 'f16', ties).buffer)]).toEqual([0x3c00, 0x3c02, 0, 2, 0x7bff, 0x7c00, 0x7c00, 0xfc00]);
  });
});

describe('encode_q4_K and encode_q6_K', () => {
  it('beat the plain rule of the largest magnitude', () => {
    const values = weights(8192, 5);
    const error = (type: Encoded) => relativeError(dequantize(type as DType, encode(bench, type, values)), values);
    expect(error('q4_K')).toBeLessThan(0.85 * error('q4_0'));
    expect(error('q6_K')).toBeLessThan(error('q4_K') / 3);
  });
});

describe('types of 32 values', () => {
  const twins = {
    q4_0: (x: Float32Array) => symmetric(x, 16), q5_0: (x: Float32Array) => symmetric(x, 32),
    q4_1: (x: Float32Array) => asymmetric(x, 16), q5_1: (x: Float32Array) => asymmetric(x, 32),
  };
  it.each(Object.entries(twins))('%s: every bit as its twin', (type, twin) => {
    const values = Float32Array.of(...weights(4096, 17), ...weights(512, 18).map((x) => x * 1e-5), ...weights(512, 19).map((x) => x * 1e5), ...Array.from({ length: 32 }, () => -2));
    const expected = Array.from({ length: values.length / 32 }, (_, i) => twin(values.subarray(32 * i, 32 * i + 32))).flat();
    expect([...encode(bench, type as Encoded, values)]).toEqual(expected);
  });
});

const VECTORS = '../shared/data/breadth/vectors';

describe.skipIf(!existsSync(VECTORS))("llama.cpp's encoders (../shared/data/breadth/vectors)", () => {
  const read = (type: Encoded) => (JSON.parse(readFileSync(`${VECTORS}/${type.toLowerCase()}.json`, 'utf8')) as { encode: { input: string; raw: string; relativeRmsError: number } }).encode;
  const floats = (base64: string) => new Float32Array(Uint8Array.from(Buffer.from(base64, 'base64')).buffer);

  it.each(['q8_0', 'q4_0', 'q4_1', 'q5_0', 'q5_1'] as const)('%s: the same bytes', (type) => {
    const { input, raw } = read(type);
    expect(Buffer.from(encode(bench, type, floats(input))).toString('base64')).toBe(raw);
  });

  it.each(['q4_K', 'q5_K', 'q6_K'] as const)('%s: an error no larger', (type) => {
    const { input, relativeRmsError } = read(type);
    const values = floats(input);
    expect(relativeError(dequantize(type, encode(bench, type, values)), values)).toBeLessThan(1.02 * relativeRmsError);
  });
});
