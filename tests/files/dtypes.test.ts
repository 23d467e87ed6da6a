import { describe, expect, test } from 'vitest';
import { halfToFloat, tensorBytes, toFloat32 } from '../../src/files/dtypes.js';
import { hasShared, noShared, openShared, readTensor } from './support/shared.js';

/** Bytes of a block: numbers as they are, `h` for a half. */
const half = { one: [0x00, 0x3c], two: [0x00, 0x40], minusHalf: [0x00, 0xb8] };
const block = (...parts: (readonly number[])[]) => Uint8Array.from(parts.flat());
const fill = (count: number, value: (i: number) => number) => Array.from({ length: count }, (_, i) => value(i));

describe('tensor types', () => {
  test('halves: all 65536, against their definition', () => {
    for (let bits = 0; bits < 65536; bits++) {
      const [sign, exponent, mantissa] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
      const expected = exponent === 31 ? (mantissa ? NaN : sign * Infinity) : exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
      if (!Object.is(halfToFloat(bits), expected)) expect(halfToFloat(bits), bits.toString(16)).toBe(expected);
    }
  });

  test('sizes', () => {
    expect(tensorBytes('q4_K', [512, 3])).toBe(2 * 3 * 144);
    expect(tensorBytes('q8_0', [48])).toBeUndefined();
    expect(tensorBytes('f32', [2 ** 30, 2 ** 30])).toBeUndefined();
  });

  test('f32, f16, bf16 at odd addresses', () => {
    const odd = (bytes: Uint8Array) => new Uint8Array([9, ...bytes]).subarray(1);
    expect([...toFloat32('f32', odd(new Uint8Array(new Float32Array([1.5, -2]).buffer)), 2)]).toEqual([1.5, -2]);
    expect([...toFloat32('f16', odd(block(half.one, half.minusHalf)), 2)]).toEqual([1, -0.5]);
    expect([...toFloat32('bf16', odd(block([0x80, 0x3f], [0x00, 0xc0])), 2)]).toEqual([1, -2]);
  });

  // Each block is written out by hand from the layouts in ggml-common.h.
  const nibblePairs = fill(16, (i) => i | ((15 - i) << 4));
  test.each([
    ['q8_0', block(half.two, fill(32, (i) => (i - 16) & 255)), fill(32, (i) => 2 * (i - 16))],
    ['q4_0', block(half.two, nibblePairs), [...fill(16, (i) => 2 * (i - 8)), ...fill(16, (i) => 2 * (7 - i))]],
    ['q4_1', block(half.two, half.one, nibblePairs), [...fill(16, (i) => 2 * i + 1), ...fill(16, (i) => 2 * (15 - i) + 1)]],
    ['q5_0', block(half.one, [0xff, 0xff, 0, 0], nibblePairs), [...fill(16, (i) => i), ...fill(16, (i) => 15 - i - 16)]],
    ['q5_1', block(half.one, half.two, [0, 0, 0xff, 0xff], nibblePairs), [...fill(16, (i) => i + 2), ...fill(16, (i) => 15 - i + 16 + 2)]],
  ] as const)('%s', (type, bytes, expected) => {
    expect([...toFloat32(type, bytes, 32)]).toEqual(expected);
  });

  // Scales 1 … 8 and minima 9 … 16 (below 16, so that their upper bits are zero), or with upper bits in the last four.
  const scales = [1, 2, 3, 4, 9, 10, 11, 12, 5 | (13 << 4), 6 | (14 << 4), 7 | (15 << 4), 8 | (0 << 4)];
  const mins = [9, 10, 11, 12, 13, 14, 15, 0];
  test('q4_K', () => {
    const bytes = block(half.one, half.two, scales, fill(128, (i) => (i & 15) | ((3 + (i >> 5)) << 4)));
    const code = (i: number) => (i & 32 ? 3 + (i >> 6) : i & 15);
    expect([...toFloat32('q4_K', bytes, 256)]).toEqual(fill(256, (i) => ((i >> 5) + 1) * code(i) - 2 * mins[i >> 5]!));
  });

  test('q5_K, with upper bits in the scales', () => {
    const upper = [...scales];
    upper[0] = 1 | (2 << 6); // scale 4 gets 2 << 4
    upper[4] = 9 | (1 << 6); // minimum 4 gets 1 << 4
    const bytes = block(half.one, half.one, upper, fill(32, () => 0b10000001), fill(128, () => 0x21));
    const scale = (j: number) => j + 1 + (j === 4 ? 32 : 0);
    const min = (j: number) => mins[j]! + (j === 4 ? 16 : 0);
    const code = (j: number) => (j & 1 ? 2 : 1) + (j === 0 || j === 7 ? 16 : 0);
    expect([...toFloat32('q5_K', bytes, 256)]).toEqual(fill(256, (i) => scale(i >> 5) * code(i >> 5) - min(i >> 5)));
  });

  test('q6_K', () => {
    const bytes = block(fill(128, (i) => (i & 15) | (5 << 4)), fill(64, () => 0b11100100), fill(16, (i) => (i - 8) & 255), half.two);
    // Quarter q of each half of 128 takes its upper two bits from bits 2q of the pair byte: 0, 1, 2, 3.
    const code = (i: number) => ((i & 127) < 64 ? i & 15 : 5) + 16 * ((i >> 5) & 3) - 32;
    expect([...toFloat32('q6_K', bytes, 256)]).toEqual(fill(256, (i) => 2 * ((i >> 4) - 8) * code(i)));
  });

  test.skipIf(!hasShared)(`quantised files come near their floats${hasShared ? '' : `: ${noShared}`}`, async () => {
    const reference = await openShared('models/derived/stories260K/stories260K-F32.gguf');
    for (const [type, within] of [['F16', 0.001], ['Q8_0', 0.01], ['Q4_0', 0.16]] as const) {
      const model = await openShared(`models/derived/stories260K/stories260K-${type}.gguf`);
      const [x, y] = [await readTensor(reference, 'blk.1.attn_v.weight'), await readTensor(model, 'blk.1.attn_v.weight')];
      const largest = x.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(x.reduce((most, value, i) => Math.max(most, Math.abs(value - y[i]!)), 0) / largest, type).toBeLessThan(within);
      await model.close();
    }
    await reference.close();
  });
});
