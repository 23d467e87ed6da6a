import { describe, expect, it } from 'vitest';
import { CROSS_ENTROPY_TOLERANCE, crossEntropy, crossEntropyGrad } from '../reference/cross_entropy.js';
import { benchOf, LENGTHS } from './rows.js';
import { bits, buildsHere, expectWithin, firstDifference, random, randomFloats, type TrainBench } from './support.js';

const SCALE = Math.fround(1 / 7);

function run({ exports, place, allocate, floats }: TrainBench, logits: Float32Array, targets: number[], n: number, split = 0): { losses: Float32Array; grad: Float32Array } {
  const rows = targets.length, stride = logits.length / rows;
  const at = place(logits, 4), losses = allocate(rows * 4), ids = place(Int32Array.from(targets));
  for (const [first, end] of [[split, rows], [0, split]] as const) exports.cross_entropy_f32(losses, at, ids, n, stride, SCALE, first, end);
  return { losses: floats(losses, rows).slice(), grad: floats(at, logits.length).slice() };
}

describe('cross_entropy_f32', () => {
  it.each([...LENGTHS, 4099])('agrees with the reference over %i logits, the same bits split and in every build', (n) => {
    const stride = n + 3, targets = [n - 1, -1, 0, n >> 1, -100];
    const logits = randomFloats(targets.length * stride, random(n), 12);
    const { losses, grad } = run(benchOf('scalar'), logits, targets, n);
    targets.forEach((target, row) => {
      const x = logits.subarray(row * stride, row * stride + n);
      expect(Math.abs(losses[row]! - crossEntropy(x, target))).toBeLessThanOrEqual(CROSS_ENTROPY_TOLERANCE * 20);
      expectWithin(grad.subarray(row * stride), crossEntropyGrad(x, target, SCALE), SCALE * CROSS_ENTROPY_TOLERANCE);
      expect(firstDifference(grad.slice(row * stride + n, row * stride + stride), logits.slice(row * stride + n, row * stride + stride)), 'gaps between rows').toBe(-1);
    });
    for (const build of buildsHere()) {
      for (const split of [0, 2]) {
        const other = run(benchOf(build), logits, targets, n, split);
        expect([firstDifference(other.losses, losses), firstDifference(other.grad, grad)]).toEqual([-1, -1]);
      }
    }
  });

  it.each(buildsHere())('a sure and right guess costs nothing; a sure and wrong one its distance; NaN stays NaN, %s build', (build) => {
    const { losses, grad } = run(benchOf(build), Float32Array.of(100, 0, 0, 0, 100, 0, NaN, 1, 2), [0, 2, 1], 3);
    expect([...losses.subarray(0, 2)]).toEqual([0, 100]);
    expect([...grad.subarray(0, 6)]).toEqual([0, 0, 0, 0, SCALE, -SCALE]);
    expect(bits(losses.slice(2))).toEqual(bits(Float32Array.of(NaN)));
  });
});
