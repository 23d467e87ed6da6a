// A few steps of training that every runtime takes: all must end with the same file, bit for bit.
import type { Build } from 'stonechat';
import type { Trainer, TrainOptions } from 'stonechat/train';
import { birdCorpus } from '../train/corpora.js';

export interface Trained {
  build: Build;
  threads: number;
  /** Of the GGUF file: FNV-1a. */
  hash: number;
  validationLoss: number;
}

const OPTIONS: TrainOptions = {
  config: { embedding: 32, layers: 2, heads: 2, kvHeads: 1, context: 32 },
  vocabulary: 300, steps: 6, batch: 4, microBatch: 2, dropout: 0.1, evaluateEvery: 2, sampleEvery: 3, sampleTokens: 8, seed: 3,
};

function hash(bytes: Uint8Array): number {
  let value = 0x811c9dc5;
  for (const byte of bytes) value = Math.imul(value ^ byte, 0x01000193);
  return value >>> 0;
}

/** `options`: of every run, for instance `workerUrl`. */
export async function runTraining({ train }: Trainer, builds: readonly Build[], threads: readonly number[], options: TrainOptions = {}): Promise<Trained[]> {
  const found: Trained[] = [];
  for (const build of builds) {
    for (const count of threads) {
      let used = 0;
      const onEvent: TrainOptions['onEvent'] = (event) => void (event.kind === 'start' && (used = event.threads));
      const result = await train(birdCorpus(60), { ...OPTIONS, ...options, build, threads: count, onEvent });
      found.push({ build, threads: used, hash: hash(await result.bytes()), validationLoss: result.validation!.loss });
    }
  }
  return found;
}
