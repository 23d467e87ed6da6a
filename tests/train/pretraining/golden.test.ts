// Losses, gradients and ten AdamW steps against values computed in f64 by another implementation.
import { afterAll, describe, expect, it } from 'vitest';
import { openModel } from '../../../src/files/index.js';
import { nodeHost } from '../../../src/host/node.js';
import { type Batch, Filling } from '../../../src/train/data/batches.js';
import { TrainEngine } from '../../../src/train/loop/engine.js';
import { updateAt } from '../../../src/train/loop/optimizer.js';
import { buildsHere } from '../../kernels/support.js';
import { dataPath, hasData, readJson, titled } from '../../golden/data.js';
import { trainHost } from '../support.js';

interface Golden {
  model: string;
  batches: number[][];
  optimizer: { lr: number; beta1: number; beta2: number; eps: number; weight_decay: number };
  first_step: { losses: number[]; grad_norms: Record<string, number>; grad_samples: Record<string, [number[], number][]> };
  history: { step: number; mean_loss: number; global_grad_norm: number }[];
}

/** Golden names of tensors, by layer where there is one for each. */
const NAMES: Record<string, string> = {
  emb: 'token_embd.weight', rA: 'blk.N.attn_norm.weight', rF: 'blk.N.ffn_norm.weight', rO: 'output_norm.weight', wq: 'blk.N.attn_q.weight', wk: 'blk.N.attn_k.weight',
  wv: 'blk.N.attn_v.weight', wo: 'blk.N.attn_output.weight', w1: 'blk.N.ffn_gate.weight', w2: 'blk.N.ffn_down.weight', w3: 'blk.N.ffn_up.weight',
};

const host = nodeHost();
const engines: TrainEngine[] = [];
afterAll(() => engines.forEach((engine) => engine.dispose()));

/** Sequences one after another. */
function batchOf(sequences: readonly number[][]): Batch {
  const filling = new Filling(sequences.flat().length);
  for (const ids of sequences) filling.add(Int32Array.from(ids));
  return filling.batch;
}

async function open(golden: Golden, build: 'scalar' | 'simd' | 'relaxed', threads: number, sequences: number, length: number): Promise<TrainEngine> {
  const file = await openModel(dataPath(golden.model), { open: host.open, list: host.list });
  const engine = await TrainEngine.open(trainHost, file, { build, threads, sequences, length, dropout: 0 });
  await file.close();
  engines.push(engine);
  return engine;
}

const layersOf = (engine: TrainEngine, name: string): string[] =>
  name.includes('N') ? Array.from({ length: engine.graph.states.length }, (_, layer) => name.replace('N', String(layer))) : [name];

/** One element of a gradient; golden indices are [layer, row, column] where there are layers. */
function gradientAt(engine: TrainEngine, key: string, index: readonly number[]): number {
  const tensors = layersOf(engine, NAMES[key]!);
  const [layer, inner] = NAMES[key]!.includes('N') ? [index[0]!, index.slice(1)] : [0, index];
  const { columns } = engine.layout.offsets.get(tensors[layer]!)!;
  return engine.tensor(tensors[layer]!, 'gradients')[inner.length === 2 ? inner[0]! * columns + inner[1]! : inner[0]!]!;
}

describe.skipIf(!hasData).each(['stories260K', 'tinytinystories44K'])(titled('training %s'), (name) => {
  const golden = hasData ? readJson<Golden>(`golden/train-${name}.json`) : ({ batches: [[]] } as unknown as Golden);
  const length = Math.max(...golden.batches.map((ids) => ids.length)) - 1;

  it('has the recorded losses and gradients', async () => {
    const engine = await open(golden, 'simd', 1, 1, length);
    const losses = golden.batches.map((ids) => engine.evaluate(batchOf([ids])) / (ids.length - 1));
    golden.first_step.losses.forEach((loss, i) => expect(Math.abs(losses[i]! - loss)).toBeLessThan(1e-4));
    engine.clear();
    // The golden loss is the mean of the sequences' means; one sequence at a time, each gradient is of (sum of losses) / length.
    for (const ids of golden.batches) engine.learn(batchOf([ids]), 0);
    const scale = length / (golden.batches[0]!.length - 1) / golden.batches.length;
    for (const [key, norm] of Object.entries(golden.first_step.grad_norms)) {
      const squares = layersOf(engine, NAMES[key]!).map((tensor) => engine.tensor(tensor, 'gradients').reduce((sum, x) => sum + x * x, 0));
      const found = scale * Math.sqrt(squares.reduce((a, b) => a + b, 0));
      expect(Math.abs(found / norm - 1), key).toBeLessThan(1e-3);
    }
    for (const [key, samples] of Object.entries(golden.first_step.grad_samples)) {
      for (const [index, expected] of samples) expect(Math.abs((gradientAt(engine, key, index) * scale) / expected - 1), `${key}[${index}]`).toBeLessThan(1e-3);
    }
  });

  const steps = async (build: 'scalar' | 'simd' | 'relaxed', threads: number) => {
    const engine = await open(golden, build, threads, golden.batches.length, length);
    const batch = batchOf(golden.batches);
    const { lr, beta1, beta2, eps, weight_decay } = golden.optimizer;
    const settings = { learningRate: lr, finalRate: lr, warmup: 0, steps: 10, beta1, beta2, epsilon: eps, weightDecay: weight_decay, maxGradNorm: 1 };
    const scale = (golden.batches.length * length) / batch.count;
    const history = golden.history.map(({ step }) => {
      engine.clear();
      const loss = engine.learn(batch, 0) / batch.count;
      const norm = engine.norm() * scale;
      engine.update(updateAt(step, norm, scale, settings));
      return { step, mean_loss: loss, global_grad_norm: norm };
    });
    return { history, weights: engine.region('weights').slice() };
  };

  it('takes ten AdamW steps as recorded, with the same bits on every build and thread count', async () => {
    const first = await steps('simd', 1);
    golden.history.forEach(({ mean_loss, global_grad_norm }, i) => {
      expect(Math.abs(first.history[i]!.mean_loss - mean_loss), `loss of step ${i + 1}`).toBeLessThan(1e-4 * Math.max(1, mean_loss));
      expect(Math.abs(first.history[i]!.global_grad_norm / global_grad_norm - 1), `norm of step ${i + 1}`).toBeLessThan(1e-3);
    });
    for (const build of buildsHere()) {
      for (const threads of build === 'scalar' ? [2] : [1, 2, 3]) {
        const { history, weights } = await steps(build, threads);
        expect(history, `${build}, ${threads} threads`).toEqual(first.history);
        expect(Buffer.compare(Buffer.from(weights.buffer), Buffer.from(first.weights.buffer)), `${build}, ${threads} threads`).toBe(0);
      }
    }
  });
});
