import { describe, expect, it } from 'vitest';
import * as reference from '../reference/losses.js';
import { type Bench, bits, buildsHere, loadTrain, random, randomFloats } from './support.js';

const ROWS = 5;

/** Rows of n elements with a gap between them. */
function rowsAt(bench: Bench, seed: number, n: number, gap: number) {
  const rows = Array.from({ length: ROWS }, (_, i) => Array.from(randomFloats(n, random(seed + i), 3)));
  const spread = new Float32Array(ROWS * (n + gap)).fill(9);
  rows.forEach((row, i) => spread.set(row, i * (n + gap)));
  return { rows, at: bench.place(spread, 4), stride: n + gap };
}
const room = (bench: Bench, n: number) => ({ at: bench.place(new Float32Array(ROWS * (n + 1)).fill(9), 4), stride: n + 1 });

/** In two calls, the second part first: everything that a kernel wrote. */
function results(bench: Bench, outputs: readonly { at: number; stride: number }[], call: (first: number, end: number) => void): number[][][] {
  call(3, ROWS);
  call(0, 3);
  return outputs.map(({ at, stride }) => Array.from({ length: ROWS }, (_, row) => Array.from(bench.floats(at + row * stride * 4, stride))));
}

function close(found: number[][], expected: number[][]): void {
  expected.forEach((row, i) => row.forEach((value, j) => expect(Math.abs(found[i]![j]! - value)).toBeLessThanOrEqual(1.2e-7 * Math.max(1e-3, Math.abs(value)))));
}

describe.each(buildsHere())('losses, %s build', (build) => {
  describe.each([1, 3, 8, 21])('%i columns', (n) => {
    const bench = loadTrain(build), { exports } = bench;
    const [a, b, c, d] = [rowsAt(bench, n, n, 1), rowsAt(bench, n + 50, n, 2), rowsAt(bench, n + 90, n, 3), rowsAt(bench, n + 70, n, 0)];
    const [one, two, loss] = [room(bench, n), room(bench, n), { at: bench.place(new Float32Array(ROWS + 1).fill(9)), stride: 1 }];
    const losses = (call: (first: number, end: number) => void) => results(bench, [loss], call)[0]!;

    it('squared_error_f32 and its gradient', () => {
      close(losses((first, end) => exports.squared_error_f32(loss.at, a.at, b.at, n, a.stride, b.stride, first, end)), a.rows.map((row, i) => [reference.squaredError(row, b.rows[i]!)]));
      const [dx, dTarget] = results(bench, [one, two], (first, end) => exports.squared_error_f32_grad(one.at, two.at, a.at, b.at, n, one.stride, two.stride, a.stride, b.stride, 0.3, first, end));
      const expected = a.rows.map((row, i) => reference.squaredErrorGrad(row, b.rows[i]!, 0.3));
      close(dx!, expected);
      close(dTarget!, expected.map((row) => row.map((value) => -value)));
      expect(dx!.every((row) => row[n] === 9), 'nothing written between rows').toBe(true);
    });

    it('logistic_loss_f32 and its gradient', () => {
      for (const label of [0, 1, 0.9]) {
        close(losses((first, end) => exports.logistic_loss_f32(loss.at, a.at, n, a.stride, label, first, end)), a.rows.map((row) => [reference.logisticLoss(row, label)]));
        const [dx] = results(bench, [one], (first, end) => exports.logistic_loss_f32_grad(one.at, a.at, n, one.stride, a.stride, label, 0.2, first, end));
        close(dx!, a.rows.map((row) => reference.logisticLossGrad(row, label, 0.2)));
      }
    });

    it('gaussian_f32 and its gradient', () => {
      const [y] = results(bench, [one], (first, end) => exports.gaussian_f32(one.at, a.at, b.at, c.at, n, one.stride, a.stride, b.stride, c.stride, first, end));
      close(y!, a.rows.map((row, i) => reference.gaussian(row, b.rows[i]!, c.rows[i]!)));
      const [dMean, dVariance] = results(bench, [one, two], (first, end) => exports.gaussian_f32_grad(one.at, two.at, d.at, b.at, c.at, n, one.stride, two.stride, d.stride, b.stride, c.stride, first, end));
      const expected = d.rows.map((row, i) => reference.gaussianGrad(row, b.rows[i]!, c.rows[i]!));
      close(dMean!, expected.map(([mean]) => mean));
      close(dVariance!, expected.map(([, variance]) => variance));
    });

    it('gaussian_kl_f32 and its gradient', () => {
      close(losses((first, end) => exports.gaussian_kl_f32(loss.at, a.at, b.at, n, a.stride, b.stride, first, end)), a.rows.map((row, i) => [reference.gaussianKl(row, b.rows[i]!)]));
      const [dMean, dVariance] = results(bench, [one, two], (first, end) => exports.gaussian_kl_f32_grad(one.at, two.at, a.at, b.at, n, one.stride, two.stride, a.stride, b.stride, 0.7, first, end));
      const expected = a.rows.map((row, i) => reference.gaussianKlGrad(row, b.rows[i]!, 0.7));
      close(dMean!, expected.map(([mean]) => mean));
      close(dVariance!, expected.map(([, variance]) => variance));
    });
  });

  it('have the bits of the scalar build', () => {
    const run = (on: typeof build) => {
      const bench = loadTrain(on), x = rowsAt(bench, 3, 21, 1), one = room(bench, 21);
      bench.exports.logistic_loss_f32_grad(one.at, x.at, 21, one.stride, x.stride, 0.5, 1, 0, ROWS);
      bench.exports.gaussian_f32(one.at, one.at, x.at, x.at, 21, one.stride, one.stride, x.stride, x.stride, 0, ROWS);
      return bits(bench.floats(one.at, ROWS * one.stride).slice());
    };
    expect(run(build)).toEqual(run('scalar'));
  });
});
