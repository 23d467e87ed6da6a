// Training with one rounding per multiply-add: the same bits where a build has no such instruction, and close to them where it has.
import { expect, it } from 'vitest';
import type { Build } from '../../../src/host/host.js';
import { initialModel } from '../../../src/train/pretraining/initial-weights.js';
import { TrainEngine } from '../../../src/train/loop/engine.js';
import { buildsHere, firstDifference, random } from '../../kernels/support.js';
import { trainHost } from '../support.js';

const LENGTH = 24;
const CONFIG = {
  architecture: 'gpt2', embedding: 40, layers: 2, heads: 2, kvHeads: 2, feedForward: 88, context: LENGTH, vocabulary: 300, tied: false, positions: 'learned', ropeBase: 10000, window: 1, padding: 0,
} as const;

async function gradients(build: Build, threads: number, fusedMultiplyAdd: boolean): Promise<{ loss: number; values: Float32Array; kernels: string[] }> {
  const beginning = initialModel(CONFIG, 1, { exp_f64: Math.exp, log_f64: Math.log });
  const engine = await TrainEngine.open(trainHost, beginning, { build, threads, sequences: 2, length: LENGTH, dropout: 0, fusedMultiplyAdd });
  const next = random(7), rows = 2 * LENGTH, ids = () => Int32Array.from({ length: rows }, () => Math.floor(next() * CONFIG.vocabulary));
  const positions = Int32Array.from({ length: rows }, (_, row) => row % LENGTH);
  engine.clear();
  const loss = engine.learn({ ids: ids(), positions, spans: Int32Array.of(0, LENGTH, rows), targets: ids(), count: rows }, 0);
  const values = engine.region('gradients').slice();
  engine.dispose();
  return { loss, values, kernels: engine.plan.steps.map(({ kernel }) => kernel).filter((kernel) => kernel.endsWith('_fused')) };
}

it.each(buildsHere())('learns as without it, %s build', async (build) => {
  const plain = await gradients(build, 1, false), fused = await gradients(build, 1, true), shared = await gradients(build, 2, true);
  expect(plain.kernels).toEqual([]);
  expect(new Set(fused.kernels)).toEqual(new Set(['matmul_f32_f32_fused', 'matmul_f32_f32_grad_x_fused', 'matmul_f32_grad_w_fused']));
  expect(firstDifference(shared.values, fused.values), 'the same bits on two threads').toBe(-1);
  if (build !== 'relaxed') expect(firstDifference(fused.values, plain.values)).toBe(-1);
  expect(Math.abs(fused.loss - plain.loss)).toBeLessThan(1e-3);
  const largest = plain.values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  expect(largest).toBeGreaterThan(1e-3);
  expect(fused.values.every((value, i) => Math.abs(value - plain.values[i]!) <= 1e-5 * largest)).toBe(true);
});
