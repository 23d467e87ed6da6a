// DPO: loss and gradient against the f64 twin and its central differences.
import { afterEach, describe, expect, it } from 'vitest';
import { Filling } from '../../../src/train/data/batches.js';
import type { TokenizedExample } from '../../../src/train/data/tokenized.js';
import { TrainEngine } from '../../../src/train/loop/engine.js';
import { isAdapterTensor, withNewAdapter } from '../../../src/train/tuning/lora.js';
import { type ExamplePair, logProbabilities, pairBatchesOf, PairStream, PreferenceLearner } from '../../../src/train/tuning/preference.js';
import { buildsHere, firstDifference, random } from '../../kernels/support.js';
import { tinyModel, type TinyShape } from '../../models/tiny.js';
import { preferenceLoss } from '../../reference/preference.js';
import { trainHost } from '../support.js';
import { merged, referenceLosses, valuesOf } from '../tiny.js';

const shape: TinyShape = { architecture: 'llama', embedding: 32, layers: 2, heads: 4, kvHeads: 2, feedForward: 48, vocabulary: 37, context: 32 };
const LENGTH = 8;
const BETA = 0.7;
const lora = { rank: 2, alpha: 4, targets: ['attn_q', 'ffn_down'] };

/** Ids whose first two only serve as the prompt. */
const example = (...ids: number[]): TokenizedExample => ({ ids: Int32Array.from(ids), lossMask: Uint8Array.from(ids, (_, i) => (i < 2 ? 0 : 1)) });
const PAIRS: ExamplePair[] = [
  { chosen: example(1, 5, 9, 2, 30), rejected: example(1, 5, 7, 7, 12, 3) },
  { chosen: example(4, 4, 36, 0, 8, 21, 17), rejected: example(4, 4, 2, 2) },
];

const engines: TrainEngine[] = [];
afterEach(() => engines.splice(0).forEach((engine) => engine.dispose()));
const pause = async () => {};

async function opened(sequences: number, options: { build?: 'scalar' | 'simd' | 'relaxed'; threads?: number } = {}) {
  const file = withNewAdapter(tinyModel(shape), lora, 5);
  const engine = await TrainEngine.open(trainHost, file, { build: 'simd', threads: 1, sequences, length: LENGTH, dropout: 0, trained: isAdapterTensor, weighted: true, ...options });
  engines.push(engine);
  const reference = await logProbabilities(engine, PAIRS, pause);
  // Away from where policy and reference agree: B no longer zero.
  const next = random(9);
  for (const [name, { offset, rows, columns }] of engine.layout.offsets) {
    if (name.endsWith('.lora_b')) for (let i = 0; i < Math.ceil(rows / 8) * 8 * columns; i++) engine.region('weights')[offset + i] = (i & 7) < rows - Math.floor(i / columns / 8) * 8 ? 0.3 * (2 * next() - 1) : 0;
  }
  return { engine, reference, file, learner: new PreferenceLearner(engine, reference, BETA, engine.kernels.exports) };
}

/** The twin's tensors with the engine's pairs, in f64 so that steps can be small. */
async function twinOf({ engine, file }: Awaited<ReturnType<typeof opened>>) {
  const values = new Map(await valuesOf(file));
  for (const name of engine.layout.offsets.keys()) values.set(name, { shape: values.get(name)!.shape, data: Float64Array.from(engine.tensor(name)) as never });
  const logs = (tensors: typeof values) => {
    const all = merged(tensors, lora.alpha / lora.rank);
    return PAIRS.flatMap((pair) => [pair.chosen, pair.rejected]).map((one) => {
      const rows = one.ids.length - 1;
      const filling = new Filling(rows);
      filling.add(one.ids, one.lossMask);
      return -referenceLosses(file, all, filling.batch).reduce((a, b) => a + b, 0);
    });
  };
  return { values, logs };
}

describe('preference optimisation', () => {
  it('has the loss and the gradients of the twin', async () => {
    const setting = await opened(4);
    const { engine, learner, reference } = setting;
    const { values, logs } = await twinOf(setting);
    const loss = () => {
      const found = logs(values);
      return PAIRS.map((_, i) => preferenceLoss(found[2 * i]!, found[2 * i + 1]!, reference[2 * i]!, reference[2 * i + 1]!, BETA)).reduce((a, b) => a + b, 0);
    };
    const [batch] = pairBatchesOf(PAIRS, engine.options);
    engine.clear();
    expect(Math.abs(learner.learn(batch!, 1) - loss())).toBeLessThan(1e-4);
    const next = random(2);
    for (const name of engine.layout.offsets.keys()) {
      const gradient = engine.tensor(name, 'gradients');
      const data = values.get(name)!.data as unknown as Float64Array;
      for (let i = 0; i < 2; i++) {
        const at = Math.floor(next() * data.length), kept = data[at]!;
        const [above, below] = [1e-5, -1e-5].map((step) => ((data[at] = kept + step), loss()));
        data[at] = kept;
        const expected = (above! - below!) / 2e-5 / (4 * LENGTH);
        expect(Math.abs(gradient[at]! - expected), `${name}[${at}]`).toBeLessThan(1e-5 + 3e-4 * Math.abs(expected));
      }
    }
  });

  it('begins at log 2, where policy and reference agree', async () => {
    const { engine, learner } = await opened(4);
    const own = await logProbabilities(engine, PAIRS, pause);
    const found = await new PreferenceLearner(engine, own, BETA, engine.kernels.exports).evaluate(PAIRS, own, new Int32Array(37).fill(1), pause);
    expect(found.loss).toBeCloseTo(Math.LN2, 6);
    expect(found.margin).toBe(0);
    expect((await learner.evaluate(PAIRS, own, new Int32Array(37).fill(1), pause)).tokens).toBe(3 + 5);
  });

  it('gives the same bits one pair at a time, on every build and thread count', async () => {
    const learn = async (sequences: number, options = {}) => {
      const { engine, learner, reference } = await opened(sequences, options);
      engine.clear();
      const losses = [...pairBatchesOf(PAIRS, engine.options)].map((batch) => learner.learn(batch, 1));
      return { reference, loss: losses.reduce((a, b) => a + b, 0), gradients: engine.region('gradients').slice() };
    };
    const first = await learn(4);
    expect((await learn(2)).reference).toEqual(first.reference);
    for (const build of buildsHere()) {
      for (const threads of [1, 3]) {
        const found = await learn(4, { build, threads });
        expect([found.reference, found.loss]).toEqual([first.reference, first.loss]);
        expect(firstDifference(found.gradients, first.gradients)).toBe(-1);
      }
    }
  });

  it('goes through all pairs in every epoch, and on exactly from a cursor', () => {
    const shapeOf = { sequences: 2, length: LENGTH };
    const stream = new PairStream(PAIRS, shapeOf, 3);
    const seen = Array.from({ length: 6 }, () => stream.next().pairs[0]!);
    expect([0, 2, 4].map((at) => seen.slice(at, at + 2).toSorted())).toEqual([[0, 1], [0, 1], [0, 1]]);
    expect(new PairStream(PAIRS, shapeOf, 3, { epoch: 1, document: 1, pair: 0 }).next().pairs[0]).toBe(seen[3]);
  });
});
