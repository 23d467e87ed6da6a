import { expect, it } from 'vitest';
import type { Build, KernelExports, TrainExports } from '../../src/kernels/instance.js';
import { type Bench, buildsHere, expectWithin, firstDifference, loadTrain, random, randomFloats, type TrainBench } from './support.js';

/** A kernel that makes each row of y from the same row of its inputs. */
export interface RowKernel {
  /** How many inputs have rows; the first may be written over. */
  readonly inputs: number;
  /** Elements of a row that n stands for (n itself unless given). */
  readonly width?: (n: number) => number;
  readonly call: (exports: KernelExports & TrainExports, call: RowCall) => void;
  /** One row in f64. */
  readonly reference: (rows: Float32Array[], n: number) => ArrayLike<number>;
  /** Error allowed for `expected`: an absolute number, or a function of it. */
  readonly tolerance: number | ((expected: number) => number);
}

export interface RowCall {
  readonly bench: Bench;
  readonly y: number;
  readonly x: readonly number[];
  readonly n: number;
  readonly yStride: number;
  readonly xStride: readonly number[];
  readonly first: number;
  readonly end: number;
}

/** Lane and block edges. */
export const LENGTHS = [...Array.from({ length: 17 }, (_, i) => i + 1), 31, 32, 33, 63, 64, 65, 100, 576];
const ROWS = 5;

/** One instance per build for all calls of a test file: none of them takes much memory. */
const benches = new Map<Build, TrainBench>();
export function benchOf(build: Build): TrainBench {
  const bench = benches.get(build) ?? loadTrain(build);
  benches.set(build, bench);
  return bench;
}

interface Layout {
  inPlace?: boolean;
  split?: number;
}

/** Runs the kernel on rows that are 4 bytes off alignment and have gaps between them; checks that the gaps stay as they were. */
function run(build: Build, kernel: RowKernel, data: readonly Float32Array[], n: number, { inPlace = false, split = 0 }: Layout): Float32Array {
  const bench = benchOf(build);
  const width = kernel.width?.(n) ?? n;
  const strides = data.map((_, i) => width + 1 + i);
  const x = data.map((rows, i) => {
    const spread = new Float32Array(ROWS * strides[i]!).fill(7);
    for (let row = 0; row < ROWS; row++) spread.set(rows.subarray(row * width, row * width + width), row * strides[i]!);
    return bench.place(spread, 4);
  });
  const yStride = inPlace ? strides[0]! : width + 3;
  const y = inPlace ? x[0]! : bench.place(new Float32Array(ROWS * yStride).fill(7), 4);
  for (const [first, end] of [[split, ROWS], [0, split]] as const) kernel.call(bench.exports, { bench, y, x, n, yStride, xStride: strides, first, end });
  const written = bench.floats(y, ROWS * yStride);
  expect(written.every((value, i) => i % yStride < width || value === 7), 'gaps between rows').toBe(true);
  return Float32Array.from({ length: ROWS * width }, (_, i) => written[Math.floor(i / width) * yStride + (i % width)]!);
}

function expectClose(actual: Float32Array, data: readonly Float32Array[], n: number, { width = (size) => size, reference, tolerance }: RowKernel): void {
  const wide = width(n);
  for (let row = 0; row < ROWS; row++) {
    const expected = reference(data.map((rows) => rows.slice(row * wide, row * wide + wide)), n);
    expectWithin(actual.subarray(row * wide, row * wide + wide), expected, tolerance, `n ${n}, row ${row},`);
  }
}

/** Agreement with the reference at every length; then the same bits in place, split, and in every build. */
export function testRows(kernel: RowKernel, scale = 3): void {
  it.each(buildsHere())('agrees with the reference, the same bits in place and split, %s build', (build) => {
    for (const n of LENGTHS) {
      const next = random(n);
      const data = Array.from({ length: kernel.inputs }, () => randomFloats(ROWS * (kernel.width?.(n) ?? n), next, scale));
      const y = run(build, kernel, data, n, {});
      expectClose(y, data, n, kernel);
      for (const layout of [{ inPlace: true }, { split: 2 }, { inPlace: true, split: 3 }]) expect(firstDifference(run(build, kernel, data, n, layout), y)).toBe(-1);
      expect(firstDifference(y, run('scalar', kernel, data, n, {}))).toBe(-1);
    }
  });
}

const SPECIAL = [NaN, Infinity, -Infinity, 0, -0, 1e-45, -1e-40, 3.4e38, -3.4e38, 1e30, -1e30, 88.8, -88.8, 1e-20];

/** NaN, infinities, subnormal and huge numbers: the same bits in every build, and NaN just where `reference` has it. */
export function testSpecial(kernel: RowKernel): void {
  it.each(buildsHere())('special values, %s build', (build) => {
    for (let n = 1; n <= 9; n++) {
      const width = kernel.width?.(n) ?? n;
      const data = Array.from({ length: kernel.inputs }, (_, input) => Float32Array.from({ length: ROWS * width }, (_, i) => SPECIAL[(i * (1 + 2 * input) + n) % SPECIAL.length]!));
      const y = run(build, kernel, data, n, {});
      expect(firstDifference(y, run('scalar', kernel, data, n, {}))).toBe(-1);
      const expected = Array.from({ length: ROWS }, (_, row) => Array.from(kernel.reference(data.map((rows) => rows.slice(row * width, row * width + width)), n))).flat();
      expect([...y].map(Number.isNaN)).toEqual(expected.map(Number.isNaN));
    }
  });
}
