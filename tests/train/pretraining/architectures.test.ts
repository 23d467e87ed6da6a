// Gradients of whole models, of every architecture that can be trained, against central differences of their f64 twins.
import { afterEach, describe, expect, it } from 'vitest';
import type { ModelFile } from '../../../src/files/types.js';
import { toFloat32 } from '../../../src/files/dtypes.js';
import { type Batch, BatchStream } from '../../../src/train/data/batches.js';
import { initialModel } from '../../../src/train/pretraining/initial-weights.js';
import { autoConfig, checkConfig, isTrained, type ModelConfig } from '../../../src/train/pretraining/config.js';
import { TrainEngine } from '../../../src/train/loop/engine.js';
import { updateAt } from '../../../src/train/loop/optimizer.js';
import { buildsHere, load } from '../../kernels/support.js';
import { crossEntropy } from '../../reference/cross_entropy.js';
import { nplmLogits } from '../../reference/nplm.js';
import { referenceLogits, type ReferenceTensor } from '../../reference/transformer.js';
import { trainHost } from '../support.js';

const VOCABULARY = 19;
const small = { vocabulary: VOCABULARY, embedding: 16, heads: 2, kvHeads: 2, layers: 2, feedForward: 24, context: 12, window: 3 };
const config = (more: Partial<ModelConfig>): ModelConfig => autoConfig(1000, { ...small, ...more });
const CONFIGS: Record<string, ModelConfig> = {
  'llama, tied': config({}),
  'llama, untied, grouped queries': config({ tied: false, kvHeads: 1 }),
  'gpt2, learned positions, tied': config({ architecture: 'gpt2' }),
  'gpt2, sinusoids, untied': config({ architecture: 'gpt2', positions: 'sinusoidal', tied: false }),
  nplm: config({ architecture: 'nplm', padding: 2, tied: false }),
  'nplm, direct connections': config({ architecture: 'nplm', padding: 2, tied: false, direct: true }),
};
const math = load('scalar').exports;
const engines: TrainEngine[] = [];
afterEach(() => engines.splice(0).forEach((engine) => engine.dispose()));

async function open(model: ModelConfig, options: Partial<Parameters<typeof TrainEngine.open>[2]> = {}): Promise<{ engine: TrainEngine; file: ModelFile }> {
  checkConfig(model);
  const file = initialModel(model, 5, math);
  const engine = await TrainEngine.open(trainHost, file, { build: 'simd', threads: 1, sequences: 2, length: small.context, dropout: 0, trained: isTrained(model), ...options });
  engines.push(engine);
  return { engine, file };
}

/** Four documents, the second longer than a sequence. */
const documents = [[0, 4, 5, 6, 7, 1], [0, ...Array.from({ length: 17 }, (_, i) => 2 + ((i * 5) % 17)), 1], [0, 8, 9, 1], [0, 3, 3, 4, 1]];
const stream = () => new BatchStream({ ids: Int32Array.from(documents.flat()), ends: Int32Array.from(documents, ((end) => (document: number[]) => (end += document.length))(0)) }, { sequences: 2, length: small.context }, 3);

async function tensorsOf(file: ModelFile): Promise<Map<string, ReferenceTensor & { data: Float64Array }>> {
  const read = async (name: string) => {
    const info = file.tensors.get(name)!, bytes = new Uint8Array(info.bytes);
    await file.read(info, 0, bytes);
    return { shape: info.shape, data: Float64Array.from(toFloat32(info.type, bytes, info.bytes / 4)) };
  };
  return new Map(await Promise.all([...file.tensors.keys()].map(async (name) => [name, await read(name)] as const)));
}

/** Rows of a batch that belong to one document: [first, end). */
const partsOf = ({ spans }: Batch): [number, number][] => [...spans.subarray(0, -1)].map((first, i) => [first, spans[i + 1]!]);

function referenceLoss(file: ModelFile, tensors: ReadonlyMap<string, ReferenceTensor>, batch: Batch): number {
  const logitsOf = file.metadata.get('general.architecture') === 'nplm' ? nplmLogits : referenceLogits;
  return partsOf(batch).reduce((sum, [first, end]) => {
    const logits = logitsOf({ metadata: file.metadata, tensors }, [...batch.ids.subarray(first, end)]);
    return sum + logits.reduce((all, row, i) => all + (batch.targets[first + i]! < 0 ? 0 : crossEntropy(row, batch.targets[first + i]!)), 0);
  }, 0);
}

describe.each(Object.entries(CONFIGS))('%s', (_, model) => {
  it('has the gradients of its reference', async () => {
    const { engine, file } = await open(model);
    const tensors = await tensorsOf(file);
    const batch = stream().next();
    engine.clear();
    const loss = engine.learn(batch, 0);
    expect(Math.abs(loss / referenceLoss(file, tensors, batch) - 1)).toBeLessThan(1e-5);
    for (const name of engine.layout.offsets.keys()) {
      const { data } = tensors.get(name)!;
      const gradient = engine.tensor(name, 'gradients').map((value) => value * batch.ids.length);
      const largest = gradient.reduce((best, value, i) => (Math.abs(value) > Math.abs(gradient[best]!) ? i : best), 0);
      for (const at of new Set([0, largest, Math.floor(data.length / 3), data.length - 1])) {
        const kept = data[at]!, step = 1e-4;
        const lossWith = (value: number) => ((data[at] = value), referenceLoss(file, tensors, batch));
        const slope = (lossWith(kept + step) - lossWith(kept - step)) / (2 * step);
        data[at] = kept;
        expect(Math.abs(gradient[at]! - slope), `${name}[${at}]: ${gradient[at]}, not ${slope}`).toBeLessThan(1e-5 + 1e-3 * Math.abs(slope));
      }
    }
  });

  it('learns, with the same bits on every build and thread count', async () => {
    const settings = { learningRate: 0.02, finalRate: 0.002, warmup: 2, steps: 30, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };
    const run = async (build: 'scalar' | 'simd' | 'relaxed', threads: number) => {
      const { engine } = await open(model, { build, threads, dropout: 0.1 });
      const batches = stream();
      const losses = Array.from({ length: 30 }, (__, step) => {
        engine.clear();
        const batch = batches.next(), loss = engine.learn(batch, step + 1) / batch.count;
        engine.update(updateAt(step + 1, engine.norm(), 1, settings));
        return loss;
      });
      return { losses, weights: Buffer.from(engine.region('weights').slice().buffer) };
    };
    const first = await run('simd', 1);
    expect(first.losses[0]).toBeCloseTo(Math.log(VOCABULARY), 0);
    expect(first.losses.at(-1)).toBeLessThan(first.losses[0]! - 1);
    for (const [build, threads] of buildsHere().flatMap((build) => [[build, 1], [build, 3]] as const)) {
      const { losses, weights } = await run(build, threads);
      expect(losses).toEqual(first.losses);
      expect(weights.equals(first.weights), `${build}, ${threads} threads`).toBe(true);
    }
  });
});

describe('configurations', () => {
  it.each([
    ['tied', { tied: true }, /tied false/],
    ['an embedding of no whole groups', { embedding: 20 }, /multiple of 8/],
    ['padding outside the vocabulary', { padding: VOCABULARY }, /padding/],
    ['a fraction of a window', { window: 1.5 }, /window/],
  ])('refuse an nplm with %s', (_, more, message) => {
    expect(() => checkConfig({ ...CONFIGS['nplm']!, ...more })).toThrow(message);
  });

  it('leave the sinusoids as they are', async () => {
    const { engine } = await open(CONFIGS['gpt2, sinusoids, untied']!);
    expect(engine.layout.offsets.has('position_embd.weight')).toBe(false);
    expect(engine.layout.offsets.has('output.weight')).toBe(true);
  });
});
