/** The GPT of ../shared/peers/kernels/torch_train.py: d 256, 6 layers, 8 heads, context 256, vocabulary 4,096, batch 8. */
import { compileTrainKernels } from '../src/host/compile-train.js';
import { nodeHost } from '../src/host/node.js';
import type { Build } from '../src/host/host.js';
import type { Batch } from '../src/train/data/batches.js';
import { initialModel } from '../src/train/pretraining/initial-weights.js';
import type { ModelConfig } from '../src/train/pretraining/config.js';
import { TrainEngine } from '../src/train/loop/engine.js';

export const GPT: ModelConfig = {
  architecture: 'gpt2', embedding: 256, layers: 6, heads: 8, kvHeads: 8, feedForward: 1024, context: 256, vocabulary: 4096, tied: false, positions: 'learned', ropeBase: 10000, window: 1, padding: 0,
};
export const SEQUENCES = 8;

export function gptEngine({ build, threads, fusedMultiplyAdd = false }: { build: Build; threads: number; fusedMultiplyAdd?: boolean }): Promise<TrainEngine> {
  const file = initialModel(GPT, 1, { exp_f64: Math.exp, log_f64: Math.log });
  return TrainEngine.open({ host: nodeHost(), compileTraining: compileTrainKernels }, file, { build, threads, sequences: SEQUENCES, length: GPT.context, dropout: 0, fusedMultiplyAdd });
}

/** Whole sequences of random tokens, each one document. */
export function randomBatch(engine: TrainEngine): Batch {
  const { sequences, length } = engine.options;
  const rows = sequences * length;
  let state = 1;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 20;
  const ids = Int32Array.from({ length: rows }, next);
  return {
    ids,
    positions: Int32Array.from({ length: rows }, (_, row) => row % length),
    spans: Int32Array.from({ length: sequences + 1 }, (_, i) => i * length),
    targets: Int32Array.from({ length: rows }, next),
    count: rows,
  };
}

/** Forward, backward and AdamW: one optimizer step. Returns the mean loss. */
export function learnOnce(engine: TrainEngine, batch: Batch, step: number): number {
  engine.clear();
  const loss = engine.learn(batch, 0);
  engine.norm();
  engine.update({ learningRate: 3e-4, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, correction1: 1 - 0.9 ** step, correction2: 1 - 0.999 ** step, gradientScale: 1 });
  return loss / batch.count;
}
