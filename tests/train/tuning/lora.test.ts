// Low-rank pairs: gradients against central differences of the f64 twin with merged weights, on bases of every type written here.
import { afterEach, describe, expect, it } from 'vitest';
import type { Build } from '../../../src/kernels/instance.js';
import { type EngineOptions, TrainEngine } from '../../../src/train/loop/engine.js';
import { isAdapterTensor, LORA_DEFAULTS, type LoraSettings, targetsOf, withNewAdapter } from '../../../src/train/tuning/lora.js';
import { updateAt } from '../../../src/train/loop/optimizer.js';
import type { WrittenType } from '../../../src/train/convert/quantize.js';
import { buildsHere, firstDifference, random } from '../../kernels/support.js';
import { tinyModel, type TinyShape } from '../../models/tiny.js';
import { trainHost } from '../support.js';
import { batchOf, merged, referenceLosses, tinyOf, valuesOf } from '../tiny.js';

const llama: TinyShape = { architecture: 'llama', embedding: 32, layers: 2, heads: 4, kvHeads: 2, feedForward: 64, vocabulary: 37, context: 32 };
const wide: TinyShape = { ...llama, embedding: 256, layers: 1, feedForward: 256 };
const SEQUENCES = [[1, 5, 9, 2, 30, 7, 7, 12, 3], [4, 4, 36, 0, 8, 21, 17]];
const LENGTH = 8;
const settings: LoraSettings = { ...LORA_DEFAULTS, rank: 3, alpha: 5 };

const engines: TrainEngine[] = [];
afterEach(() => engines.splice(0).forEach((engine) => engine.dispose()));

async function open(file: Parameters<typeof TrainEngine.open>[1], options: Partial<EngineOptions> = {}): Promise<TrainEngine> {
  const engine = await TrainEngine.open(trainHost, file, { build: 'simd', threads: 1, sequences: 2, length: LENGTH, dropout: 0, trained: isAdapterTensor, ...options });
  engines.push(engine);
  return engine;
}

/** The model with pairs whose B is not zero, so that A has a gradient. */
async function pairedModel(shape: TinyShape, type: WrittenType, lora = settings) {
  const paired = withNewAdapter(await tinyOf(shape, type), lora, 7);
  const values = await valuesOf(paired);
  const next = random(3);
  for (const [name, { data }] of values) if (name.endsWith('.lora_b')) data.forEach((_, i) => (data[i] = 0.2 * (2 * next() - 1)));
  const read = async (tensor: { name: string }, offset: number, into: Uint8Array) => {
    if (!isAdapterTensor(tensor.name)) return paired.read(paired.tensors.get(tensor.name)!, offset, into);
    const { buffer, byteOffset } = values.get(tensor.name)!.data;
    into.set(new Uint8Array(buffer, byteOffset + offset, into.length));
  };
  return { file: { ...paired, read }, values };
}

describe.each<[string, TinyShape, WrittenType, readonly string[]]>([
  ['llama f32', llama, 'f32', ['all-linear', 'output']],
  ['llama tied f16', { ...llama, tied: true }, 'f16', ['all-linear']],
  ['llama bf16', llama, 'bf16', ['q_proj', 'v_proj']],
  ['llama q8_0', llama, 'q8_0', ['all-linear']],
  ['llama q4_0', llama, 'q4_0', ['all-linear']],
  ['llama q4_K', wide, 'q4_K', ['attn_q', 'ffn_down']],
  ['llama q6_K', wide, 'q6_K', ['attn_v', 'ffn_gate']],
  ['gpt2 q4_0', { ...llama, architecture: 'gpt2', kvHeads: 4 }, 'q4_0', ['all-linear']],
  ['qwen3 f32', { ...llama, architecture: 'qwen3' }, 'f32', ['all-linear']],
])('pairs on a %s base', (_, shape, type, targets) => {
  const lora = { ...settings, targets };

  it('have the gradients that differences of the twin have, and only they are trained', async () => {
    const { file, values } = await pairedModel(shape, type, lora);
    const engine = await open(file);
    const batch = batchOf(SEQUENCES);
    expect([...engine.layout.offsets.keys()].every(isAdapterTensor)).toBe(true);
    const scale = lora.alpha / lora.rank;
    const loss = () => referenceLosses(file, merged(values, scale), batch).reduce((a, b) => a + b, 0);
    engine.clear();
    expect(engine.learn(batch, 0)).toBeCloseTo(loss(), 3);
    const next = random(11);
    for (const name of engine.layout.offsets.keys()) {
      const gradient = engine.tensor(name, 'gradients');
      const doubles = Float64Array.from(values.get(name)!.data);
      const entry = values.get(name)! as { data: ArrayLike<number> };
      entry.data = doubles;
      for (let i = 0; i < 2; i++) {
        const at = Math.floor(next() * doubles.length), kept = doubles[at]!;
        const [above, below] = [1e-5, -1e-5].map((step) => ((doubles[at] = kept + step), loss()));
        doubles[at] = kept;
        const expected = (above! - below!) / 2e-5 / (2 * LENGTH);
        expect(Math.abs(gradient[at]! - expected), `${name}[${at}] ${gradient[at]} ${expected}`).toBeLessThan(2e-5 + 2e-4 * Math.abs(expected));
      }
    }
  });
});

describe('training pairs', () => {
  const train = async (type: WrittenType, build: Build, threads: number, dropout: number) => {
    const engine = await open(withNewAdapter(await tinyOf(llama, type), settings, 7), { build, threads, dropout });
    const batch = batchOf(SEQUENCES, 2);
    const adam = { learningRate: 0.01, finalRate: 0.01, warmup: 0, steps: 5, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };
    const losses = [1, 2, 3, 4, 5].map((step) => {
      engine.clear();
      const loss = engine.learn(batch, step);
      engine.update(updateAt(step, engine.norm(), 1, adam));
      return loss;
    });
    return { losses, weights: engine.region('weights').slice() };
  };

  it.each([['f32', 0], ['q4_0', 0.3]] as const)('on %s with dropout %d lowers the loss, with the same bits on every build and thread count', async (type, dropout) => {
    const first = await train(type, 'simd', 1, dropout);
    if (!dropout) expect(first.losses.at(-1)!).toBeLessThan(first.losses[0]! * 0.97);
    for (const build of buildsHere()) {
      for (const threads of build === 'scalar' ? [2] : [1, 3]) {
        const { losses, weights } = await train(type, build, threads, dropout);
        expect(losses, `${build} ${threads}`).toEqual(first.losses);
        expect(firstDifference(weights, first.weights)).toBe(-1);
      }
    }
  });

  it('begins as the model was, to the bit', async () => {
    const plain = tinyModel(llama);
    const batch = batchOf(SEQUENCES);
    const alone = await open(plain, { trained: (name) => name === 'output_norm.weight' });
    const paired = await open(withNewAdapter(plain, settings, 7));
    expect(paired.evaluate(batch)).toBe(alone.evaluate(batch));
  });

  it('dropout draws anew from every seed', async () => {
    const { file } = await pairedModel(llama, 'f32');
    const engine = await open(file, { dropout: 0.5 });
    const batch = batchOf(SEQUENCES);
    const losses = [1, 2, 1].map((seed) => engine.learn(batch, seed));
    expect(losses[0]).toBe(losses[2]);
    expect(losses[0]).not.toBe(losses[1]);
    expect(engine.evaluate(batch)).toBeCloseTo((await open(file)).evaluate(batch), 4);
  });

  it('weighs rows by factors: half the factor, half the gradient; forward and backward together are learn', async () => {
    const { file } = await pairedModel(llama, 'f32');
    const engine = await open(file, { weighted: true });
    const plain = await open(file);
    const batch = batchOf(SEQUENCES);
    const gradients = (factor: number) => {
      engine.clear();
      engine.forward(batch, 1);
      engine.backward(batch, new Float32Array(batch.ids.length).fill(factor), 1);
      return engine.region('gradients').slice();
    };
    plain.clear();
    plain.learn(batch, 1);
    expect(firstDifference(gradients(1), plain.region('gradients').slice())).toBe(-1);
    expect(firstDifference(gradients(0.5), plain.region('gradients').map((x) => x * 0.5))).toBe(-1);
  });
});

describe('targets', () => {
  const file = tinyModel({ ...llama, tied: true });
  const names = (targets: string[]) => targetsOf(file, targets).map(({ name }) => name);

  it('go by llama.cpp\'s and PEFT\'s names', () => {
    expect(names(['q_proj', 'ffn_down'])).toEqual(['blk.0.attn_q.weight', 'blk.0.ffn_down.weight', 'blk.1.attn_q.weight', 'blk.1.ffn_down.weight']);
    expect(names(['all-linear'])).toHaveLength(14);
  });

  it.each(['attn_x', 'lm_head', 'output'])('refuse %s where the model has none', (target) => {
    expect(() => names([target])).toThrow(/Expected targets among attn_q/);
  });

  it('fresh pairs follow the seed and the shape', async () => {
    const [one, same, other] = await Promise.all([1, 1, 2].map(async (seed) => (await valuesOf(withNewAdapter(file, settings, seed))).get('blk.0.attn_q.weight.lora_a')!.data));
    expect(one).toEqual(same);
    expect(one).not.toEqual(other);
    expect(Math.max(...one!.map(Math.abs))).toBeLessThanOrEqual(1 / Math.sqrt(32));
  });
});
