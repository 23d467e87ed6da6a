// A row's bits do not depend on how many rows run with it, and nothing beyond what is owned is read or written.
import { describe, expect, it } from 'vitest';
import { DTYPES, type DType } from '../../src/files/types.js';
import { dequantize, FILE_BLOCK, QUANTISED, type Quantised, randomRaw } from '../reference/dequantize.js';
import { matmulInOrder, matmulQ8InOrder } from '../reference/matmul.js';
import { type Bench, bits, buildsHere, firstDifference, load, random, randomFloats } from './support.js';

const ROWS = [1, 2, 3, 4, 5, 6, 7, 8, 9];
const MOST = 9;
/** Groups of 8: an odd number, so that 16-bit floats end with half a pair. */
const N = 24;
const kOf = (type: DType): number => (FILE_BLOCK[type].columns === 1 ? 300 : 512);

/** What lies at the very end of memory: one byte more would be a trap. */
const LAST = ['weights', 'activations', 'outputs'] as const;
type Last = (typeof LAST)[number];

interface Operands {
  readonly type: DType;
  readonly x: Float32Array;
  readonly raw: Uint8Array;
}

/** Where `bytes` end with the memory. */
const atEnd = (bench: Bench, bytes: number): number => bench.bytes(0, 1).buffer.byteLength - bytes;

/** y of `m` rows. */
function multiply(bench: Bench, activations: 'f32' | 'q8', { type, x, raw }: Operands, m: number, last: Last): Float32Array {
  const { exports } = bench, k = kOf(type);
  const packedBytes = exports[`packed_bytes_${type}`](N, k), rowBytes = exports.q8_row_bytes(k);
  const rawAt = bench.place(raw), from = bench.place(x.subarray(0, m * k)), scratch = bench.allocate(exports.matmul_scratch_bytes(k));
  const places = { weights: packedBytes, activations: m * (activations === 'q8' ? rowBytes : k * 4), outputs: m * N * 4 };
  const inside = Object.fromEntries(Object.entries(places).map(([name, bytes]) => [name, bench.allocate(bytes)]));
  bench.allocate(Math.max(...Object.values(places)) + 64); // what lies at the end then lies beyond the others
  const at = { ...inside, [last]: atEnd(bench, places[last]) } as Record<Last, number>;
  exports[`repack_${type}`](at.weights, rawAt, N, k);
  bench.bytes(scratch, exports.matmul_scratch_bytes(k)).fill(0xff);
  bench.floats(at.outputs, m * N).fill(NaN);
  if (activations === 'q8') {
    exports.quantize_q8(at.activations, from, k, k, m, type === 'q8_0' ? 1 : 0, 0, m);
    exports[`matmul_q8_${type as Quantised}`](at.outputs, at.activations, at.weights, scratch, m, k, N, 0, N / 8);
  } else {
    bench.floats(at.activations, m * k).set(x.subarray(0, m * k));
    exports[`matmul_f32_${type}`](at.outputs, at.activations, at.weights, scratch, m, k, N, k, 0, N / 8);
  }
  return bench.floats(at.outputs, m * N).slice();
}

const operandsOf = (type: DType): Operands => {
  const next = random(31), k = kOf(type);
  return { type, x: randomFloats(MOST * k, next, 2), raw: randomRaw(type, N, k, next) };
};

describe.each(buildsHere())('1 to 9 rows, %s build', (build) => {
  it.each(DTYPES)('f32 activations, %s weights', (type) => {
    const operands = operandsOf(type), { x, raw } = operands;
    const expected = matmulInOrder(x, dequantize(type, raw), MOST, N, kOf(type));
    for (const m of ROWS) {
      for (const last of LAST) {
        const y = multiply(load(build), 'f32', operands, m, last);
        expect(firstDifference(y, Float32Array.from(expected.slice(0, m * N))), `${m} rows, ${last} last`).toBe(-1);
      }
    }
  });

  it.each(QUANTISED)('int8 activations, %s weights', (type) => {
    const operands = operandsOf(type), { x, raw } = operands;
    const expected = Float32Array.from(matmulQ8InOrder(type, x, raw, MOST, N, kOf(type)));
    for (const m of ROWS) {
      for (const last of LAST) {
        const y = multiply(load(build), 'q8', operands, m, last);
        expect(firstDifference(y, expected.slice(0, m * N)), `${m} rows, ${last} last`).toBe(-1);
      }
    }
  });

  it.each(QUANTISED)('leaves the rows after its own alone, %s weights', (type) => {
    const bench = load(build), { x, raw } = operandsOf(type), { exports } = bench, k = kOf(type);
    const packed = bench.allocate(exports[`packed_bytes_${type}`](N, k)), xq = bench.allocate(exports.q8_row_bytes(k) * MOST);
    const y = bench.allocate((MOST + 4) * N * 4), scratch = bench.allocate(exports.matmul_scratch_bytes(k));
    exports[`repack_${type}`](packed, bench.place(raw), N, k);
    const from = bench.place(x);
    for (const m of ROWS) {
      bench.floats(y, (MOST + 4) * N).fill(7);
      exports.quantize_q8(xq, from, k, k, m, type === 'q8_0' ? 1 : 0, 0, m);
      exports[`matmul_q8_${type}`](y, xq, packed, scratch, m, k, N, 0, N / 8);
      expect(bits(bench.floats(y + m * N * 4, 4 * N).slice()), `${m} rows`).toEqual(bits(new Float32Array(4 * N).fill(7)));
    }
  });
});
