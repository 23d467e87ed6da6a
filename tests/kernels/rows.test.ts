import { describe, expect, it } from 'vitest';
import { gatherRows, scatterRows } from '../reference/rows.js';
import { type Bench, buildsHere, loadTrain, random, randomFloats } from './support.js';

const ROWS = [4, 0, 5, 2];

/** Rows of n elements, `gap` unused ones between them. */
function place(bench: Bench, rows: readonly number[][], n: number, gap: number): number {
  const spread = new Float32Array(rows.length * (n + gap)).fill(7);
  rows.forEach((row, i) => spread.set(row, i * (n + gap)));
  return bench.place(spread, 4);
}
const rowsOf = (values: Float32Array, n: number, stride: number): number[][] => Array.from({ length: values.length / stride }, (_, i) => Array.from(values.subarray(i * stride, i * stride + n)));
const randomRows = (count: number, n: number, seed: number) => rowsOf(randomFloats(count * n, random(seed), 2), n, n);

describe.each(buildsHere())('rows that are named, %s build', (build) => {
  it.each([1, 4, 7, 64])('are gathered and scattered, %i columns', (n) => {
    const bench = loadTrain(build), six = randomRows(6, n, n), four = randomRows(4, n, n + 1);
    const rows = bench.place(Int32Array.from(ROWS));
    const wide = place(bench, six, n, 3), narrow = place(bench, four, n, 2);
    for (const [first, end] of [[2, 4], [0, 2]] as const) bench.exports.scatter_rows_f32(wide, narrow, rows, n, n + 3, n + 2, first, end);
    const scattered = rowsOf(bench.floats(wide, 6 * (n + 3)).slice(), n, n + 3);
    expect(scattered).toEqual(scatterRows(six, four, ROWS).map((row) => row.map(Math.fround)));
    for (const [first, end] of [[2, 4], [0, 2]] as const) bench.exports.gather_rows_f32(narrow, wide, rows, n, n + 2, n + 3, first, end);
    const all = bench.floats(narrow, 4 * (n + 2));
    expect(rowsOf(all.slice(), n, n + 2)).toEqual(gatherRows(scattered, ROWS));
    expect(all.every((value, i) => i % (n + 2) < n || value === 7)).toBe(true);
  });
});
