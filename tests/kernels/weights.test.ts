import { describe, expect, it } from 'vitest';
import { DTYPES, type DType } from '../../src/files/types.js';
import { FILE_BLOCK, dequantize, halfValue, randomRaw } from '../reference/dequantize.js';
import { type Bench, buildsHere, firstDifference, load, random } from './support.js';

const QUANTUM = (type: DType) => FILE_BLOCK[type].columns;

/** Packs `raw` in chunks of `chunk` rows (whole groups). */
function pack(bench: Bench, type: DType, raw: Uint8Array, n: number, k: number, chunk = n, shift = 0): { address: number; bytes: number } {
  const packedBytes = (rows: number) => bench.exports[`packed_bytes_${type}`](rows, k) >>> 0;
  const source = bench.place(raw, shift);
  const address = bench.allocate(packedBytes(n));
  for (let row = 0; row < n; row += chunk) {
    bench.exports[`repack_${type}`](address + packedBytes(row), source + (raw.length / n) * row, Math.min(chunk, n - row), k);
  }
  return { address, bytes: packedBytes(n) };
}

/** Rows `ids` of the packed matrix. */
function embed(bench: Bench, type: DType, packed: number, ids: number[], k: number): Float32Array {
  const out = bench.allocate(ids.length * (k + 3) * 4);
  const list = bench.place(Int32Array.from(ids));
  const half = ids.length >> 1;
  for (const [first, end] of [[0, half], [half, ids.length]] as const) bench.exports[`embed_f32_${type}`](out, list, packed, k, k + 3, first, end);
  return Float32Array.from(ids.flatMap((_, i) => [...bench.floats(out + i * (k + 3) * 4, k)]));
}

describe('the reference dequantiser', () => {
  // Worked out by hand from ggml's formulas: a block whose bytes are named, a few columns each.
  const block = (type: DType, set: Record<number, number>) => Uint8Array.from({ length: FILE_BLOCK[type].bytes }, (_, i) => set[i] ?? 0);
  const half = 0x38; // 0x3800 = 0.5
  const one = 0x3c; // 0x3c00 = 1
  const cases: [DType, Record<number, number>, Record<number, number>][] = [
    ['q8_0', { 1: half, 2: 0x80, 33: 127 }, { 0: -64, 1: 0, 31: 63.5 }],
    ['q4_0', { 1: half, 2: 0xf1, 17: 0x08 }, { 0: -3.5, 16: 3.5, 15: 0, 31: -4 }],
    ['q4_1', { 1: half, 3: one, 4: 0xf1 }, { 0: 1.5, 16: 8.5, 1: 1 }],
    ['q5_0', { 1: half, 2: 1, 5: 0x80, 6: 0x21, 21: 0x50 }, { 0: 0.5, 16: -7, 31: 2.5, 1: -8 }],
    ['q5_1', { 1: half, 3: one, 4: 1, 7: 0x80, 8: 0x21, 23: 0x50 }, { 0: 9.5, 16: 2, 31: 11.5, 1: 1 }],
    // Scale 0 is 5, minimum 0 is 3; scale 5 is 0x32 = 50 (low bits in byte 9, high in byte 1), minimum 5 is 0x13 = 19.
    ['q4_K', { 1: half, 3: one, 4: 5, 8: 3, 5: 0xc0, 9: 0x40, 13: 0x32, 16: 0x07, 80: 0x90 }, { 0: 14.5, 1: -3, 160: 206, 161: -19 }],
    ['q5_K', { 1: half, 3: one, 4: 5, 8: 3, 5: 0xc0, 9: 0x40, 13: 0x32, 16: 0x21, 48: 0x07, 112: 0x90 }, { 0: 54.5, 1: -3, 160: 606, 161: -19 }],
    // Column 0: low bits 5, high bits 2 -> 37 - 32; column 128 + 96 + 31: low 12, high 1 -> 28 - 32.
    ['q6_K', { 0: 0x05, 128: 0x02, 127: 0xc0, 191: 0x40, 192: 3, 207: 0xfe, 209: half }, { 0: 7.5, 1: -48, 255: 4, 254: 32 }],
  ];
  it.each(cases)('%s', (type, set, expected) => {
    const values = dequantize(type, block(type, set));
    for (const [column, value] of Object.entries(expected)) expect(values[Number(column)], `column ${column}`).toBe(value);
  });
});

describe.each(buildsHere())('packed weights, %s', (build) => {
  describe.each(DTYPES)('%s', (type) => {
    const sizes = QUANTUM(type) === 1 ? [[13, 1], [8, 3], [9, 172], [1, 48], [24, 65]] : [[13, QUANTUM(type)], [8, 512], [1, 256], [25, 768]];
    it.each(sizes)('%i rows of %i columns come back exactly', (n, k) => {
      const raw = randomRaw(type, n, k, random(n * 1000 + k));
      const bench = load(build);
      const { address } = pack(bench, type, raw, n, k, n, 2);
      const ids = Array.from({ length: n }, (_, i) => (i * 7) % n);
      const values = dequantize(type, raw);
      const expected = ids.flatMap((id) => [...values.subarray(id * k, id * k + k)]);
      expect(firstDifference(embed(bench, type, address, ids, k), Float32Array.from(expected))).toBe(-1);
    });

    it('packs in chunks to the same bytes as the scalar build at once, within 1.2 x the file', () => {
      const k = 768, n = 37;
      const raw = randomRaw(type, n, k, random(5));
      const bench = load(build), scalar = load('scalar');
      const chunked = pack(bench, type, raw, n, k, 16), whole = pack(scalar, type, raw, n, k);
      expect(firstDifference(bench.bytes(chunked.address, chunked.bytes), scalar.bytes(whole.address, whole.bytes))).toBe(-1);
      // Whole groups of 8 rows, and of 16, which those of 16-bit floats come in.
      expect(bench.exports[`packed_bytes_${type}`](48, k)).toBeLessThanOrEqual((raw.length / n) * 48 * 1.2);
    });
  });

  it('every f16 pattern converts exactly, in embedding, GEMV and GEMM', () => {
    const n = 65536;
    const bench = load(build);
    const patterns = Uint16Array.from({ length: n }, (_, i) => i);
    const { address } = pack(bench, 'f16', new Uint8Array(patterns.buffer), n, 1);
    const expected = Float32Array.from({ length: n }, (_, i) => halfValue(i));
    expect(firstDifference(embed(bench, 'f16', address, [...patterns], 1), expected)).toBe(-1);
    const y = bench.allocate(n * 5 * 4), x = bench.place(Float32Array.of(1, 1, 1, 1, 1));
    const scratch = bench.allocate(bench.exports.matmul_scratch_bytes(1));
    for (const m of [1, 5]) {
      bench.exports.matmul_f32_f16(y, x, address, scratch, m, 1, n, 1, 0, n / 8);
      const positive = expected.map((value) => value + 0); // 0 + -0 = 0
      for (let row = 0; row < m; row++) expect(firstDifference(bench.floats(y + row * n * 4, n).slice(), positive)).toBe(-1);
    }
  });
});
