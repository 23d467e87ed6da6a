import { describe, expect, it } from 'vitest';
import { type Quantised, dequantize, randomRaw } from '../reference/dequantize.js';
import { matmulInOrder, matmulQ8InOrder } from '../reference/matmul.js';
import { type Bench, buildsHere, firstDifference, load, random, randomFloats } from './support.js';

/** What a group of 8 rows does to its scales, and whether it is wide then (assembly/weights/integers.ts). `i` counts the blocks of a row. */
const GROUPS: { what: string; wide: boolean; scale: (row: number, i: number, next: () => number) => number }[] = [
  { what: 'scales within a factor of 16', wide: false, scale: (_, __, next) => 0x2c00 + next() * 0x1000 },
  { what: 'both signs, rows of other sizes', wide: false, scale: (row, i, next) => (i % 2 ? 0x8000 : 0) | (row * 0xc00 + 0x400 + next() * 0xc00) },
  { what: 'the largest and the least of 15 bits', wide: false, scale: (_, i) => (i % 2 ? 0x7bff : 0x6801) },
  { what: 'one bit too many', wide: true, scale: (row, i) => (row === 5 && i === 3 ? 0x6401 : 0x7bff) },
  { what: 'a small scale of fewer bits', wide: false, scale: (row, i) => (row === 5 && i === 3 ? 0x6402 : 0xfbff) },
  { what: 'zeros and subnormals', wide: false, scale: (row, i, next) => (i % 3 ? next() * 1024 : row % 2 ? 0 : 0x0400) },
  { what: 'a negative zero', wide: true, scale: (row, i) => (row === 7 && i === 1 ? 0x8000 : 0x3c00) },
  { what: 'an infinity', wide: true, scale: (row, i) => (row === 0 && i === 2 ? 0xfc00 : 0x3c00) },
  { what: 'no number', wide: true, scale: (row, i) => (row === 2 && i === 0 ? 0x7e00 : 0x3c00) },
  { what: 'rows missing', wide: false, scale: (_, __, next) => 0x2c00 + next() * 0x1000 },
];
const [n, k] = [8 * GROUPS.length - 3, 256];

function weights(type: Quantised): Uint8Array {
  const next = random(23);
  let block = 0;
  return randomRaw(type, n, k, next, () => {
    const row = Math.floor(block / 8), i = block++ % 8;
    return GROUPS[row >> 3]!.scale(row & 7, i, next);
  });
}

function pack(bench: Bench, type: Quantised, raw: Uint8Array): { address: number; bytes: number } {
  const bytes = bench.exports[`packed_bytes_${type}`](n, k), address = bench.allocate(bytes);
  bench.exports[`repack_${type}`](address, bench.place(raw), n, k);
  return { address, bytes };
}

describe.each(buildsHere())('scales in integers, %s build', (build) => {
  describe.each(['q8_0', 'q4_0', 'q5_0'] as const)('%s', (type) => {
    const raw = weights(type), values = dequantize(type, raw), bench = load(build), { exports } = bench, packed = pack(bench, type, raw);
    const groupBytes = packed.bytes / GROUPS.length;

    it.each(GROUPS.map((group, i) => [group.what, group.wide, i] as const))('%s: wide %s', (_, wide, i) => {
      expect(bench.bytes(packed.address + i * groupBytes + 8, 4).some((byte) => byte !== 0)).toBe(wide);
    });

    it('are packed to the same bytes by the scalar build', () => {
      const scalar = load('scalar'), other = pack(scalar, type, raw);
      expect(firstDifference(bench.bytes(packed.address, packed.bytes), scalar.bytes(other.address, other.bytes))).toBe(-1);
    });

    it('come back exactly', () => {
      const ids = Array.from({ length: n }, (_, i) => i), out = bench.allocate(n * k * 4);
      exports[`embed_f32_${type}`](out, bench.place(Int32Array.from(ids)), packed.address, k, k, 0, n);
      expect([...bench.floats(out, n * k)]).toEqual([...values]);
    });

    it.each([1, 6])('%i tokens: the written orders', (m) => {
      const x = randomFloats(m * k, random(29)), from = bench.place(x), stride = 8 * GROUPS.length, y = bench.allocate(m * stride * 4);
      const scratch = bench.allocate(exports.matmul_scratch_bytes(k)), xq = bench.allocate(exports.q8_row_bytes(k) * m);
      const rows = () => Array.from({ length: m }, (_, token) => [...bench.floats(y + token * stride * 4, n)]).flat();
      exports.quantize_q8(xq, from, k, k, m, type === 'q8_0' ? 1 : 0, 0, m);
      exports[`matmul_q8_${type}`](y, xq, packed.address, scratch, m, k, stride, 0, GROUPS.length);
      expect(rows()).toEqual([...matmulQ8InOrder(type, x, raw, m, n, k)]);
      exports[`matmul_f32_${type}`](y, from, packed.address, scratch, m, k, stride, k, 0, GROUPS.length);
      expect(rows()).toEqual([...matmulInOrder(x, values, m, n, k)]);
    });
  });
});
