// Training that is no language model's: a variational autoencoder with two losses, and a GAN whose phases learn by turns.
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/graph/builder.js';
import type { Graph } from '../../src/graph/graph.js';
import type { Value } from '../../src/graph/node.js';
import type { TensorInfo } from '../../src/files/types.js';
import { nodeHost } from '../../src/host/node.js';
import { Arena } from '../../src/kernels/arena.js';
import { instantiateTrainKernels } from '../../src/kernels/instance.js';
import { singleThread } from '../../src/kernels/pool.js';
import { SLOT } from '../../src/kernels/steps.js';
import { activate } from '../../src/ops/activation.js';
import { gaussian } from '../../src/ops/gaussian.js';
import { gaussianKl } from '../../src/ops/gaussian-kl.js';
import { inputRows } from '../../src/ops/input.js';
import { linear } from '../../src/ops/linear.js';
import { logisticLoss } from '../../src/ops/logistic-loss.js';
import { squaredError } from '../../src/ops/squared-error.js';
import { INPUT_OF, OUTPUT_OF, TABLE_OF } from '../../src/plan/addresses.js';
import { layOutParameters, placeParameters } from '../../src/plan/parameters.js';
import { type ObjectivePlan, type Phase, planTraining, SETTINGS_WORDS } from '../../src/plan/train-plan.js';
import { gaussian as draw, gaussianKl as kl, logisticLoss as logistic, squaredError as squares } from '../reference/losses.js';
import { trainHost } from '../train/support.js';

const ROWS = 6;
type Weights = Record<string, number[][]>;

/** [rows][columns] of every weight, a bias as one row. */
function randomWeights(shapes: Record<string, [columns: number, rows: number]>): Weights {
  let at = 1;
  const next = () => Math.fround(Math.sin(at++ * 12.9898) * 0.6);
  return Object.fromEntries(Object.entries(shapes).flatMap(([name, [columns, rows]]) => [
    [`${name}.weight`, Array.from({ length: rows }, () => Array.from({ length: columns }, next))], [`${name}.bias`, [Array.from({ length: rows }, next)]],
  ]));
}
const randomRows = (columns: number, seed: number): number[][] => Array.from({ length: ROWS }, (_, row) => Array.from({ length: columns }, (__, i) => Math.fround(Math.cos(seed + row * 3.1 + i * 1.3))));

const tensorsOf = (weights: Weights): Map<string, TensorInfo> => new Map(Object.entries(weights).map(([name, rows]) => {
  const shape = name.endsWith('.bias') ? [rows[0]!.length] : [rows[0]!.length, rows.length];
  return [name, { name, type: 'f32', shape, bytes: rows.flat().length * 4 }];
}));

/** A machine that learns by these objectives: each names its losses and the weights that begin so. */
async function machine(graph: Graph, initial: Weights, named: Record<string, { losses: string[]; learns: string }>) {
  const kernels = instantiateTrainKernels(await Promise.all([nodeHost().compile('simd', false), nodeHost().compile('simd', false, 'floats')]), await trainHost.compileTraining('simd', false), 'simd');
  const arena = new Arena(kernels.memory), tensors = tensorsOf(initial);
  const objectives = Object.entries(named).map(([name, { losses, learns }]) => ({ name, losses, layout: layOutParameters(graph.weights, tensors, (weight) => weight.startsWith(learns)) }));
  const regions = Object.fromEntries(objectives.map(({ name, layout }) => {
    const region = () => arena.allocate(layout.count * 4, 'a region');
    return [name, { weights: region(), gradients: region(), first: region(), second: region() }];
  }));
  const weights = new Map(objectives.flatMap(({ name, layout }) => [...placeParameters(layout, regions[name]!.weights)]));
  const blueprint = planTraining(graph, { exports: kernels.exports, weights, objectives, sequences: 1, length: ROWS, dropout: 0, threads: 1 });
  const plan = blueprint.place(arena.allocate(blueprint.bytes, 'a plan'), { weights, regions });
  const pool = singleThread(kernels, plan.steps);
  pool.slots[SLOT.tokens] = pool.slots[SLOT.outputTokens] = ROWS;
  const floats = (at: number, count: number) => new Float32Array(kernels.memory.buffer, at, count);
  new Int32Array(kernels.memory.buffer, plan.addressOf(TABLE_OF('rows', 'output')), ROWS).set(Array.from({ length: ROWS }, (_, row) => row));
  for (const region of Object.values(regions)) for (const at of [region.first, region.second]) floats(at, 1).fill(0);
  for (const [name, rows] of Object.entries(initial)) {
    const { address } = weights.get(name)!, columns = rows[0]!.length;
    if (name.endsWith('.bias')) floats(address, columns).set(rows[0]!);
    else rows.forEach((row, r) => row.forEach((value, c) => (floats(address, Math.ceil(rows.length / 8) * 8 * columns)[(r >> 3) * columns * 8 + c * 8 + (r & 7)] = value)));
  }
  const walk = ({ first, end }: Phase) => {
    pool.slots[SLOT.stepFirst] = first;
    pool.slots[SLOT.stepCount] = end;
    pool.run();
  };
  return {
    plan,
    objective: (name: string): ObjectivePlan => plan.objectives[name]!,
    walk,
    input(name: string, rows: number[][]) {
      const stride = Math.ceil(rows[0]!.length / 8) * 8;
      rows.forEach((row, i) => floats(plan.addressOf(INPUT_OF(name)) + i * stride * 4, row.length).set(row));
    },
    loss: (name: string): number[] => Array.from(floats(plan.addressOf(OUTPUT_OF(name)), ROWS)),
    /** Of a weight: its values, or its gradients. */
    read(name: string, from: 'weights' | 'gradients'): number[][] {
      const { name: owner, layout } = objectives.find(({ layout: { offsets } }) => offsets.has(name))!;
      const rows = initial[name]!, columns = rows[0]!.length, at = regions[owner]![from] + layout.offsets.get(name)!.offset * 4;
      if (name.endsWith('.bias')) return [Array.from(floats(at, columns))];
      const packed = floats(at, Math.ceil(rows.length / 8) * 8 * columns);
      return rows.map((row, r) => row.map((_, c) => packed[(r >> 3) * columns * 8 + c * 8 + (r & 7)]!));
    },
    update(name: string, rate: number) {
      const { settings, phases } = plan.objectives[name]!;
      floats(settings, 2 * SETTINGS_WORDS).set([rate, 0.9, 0.999, 1e-8, 0, 0.1, 0.001, 1, rate, 0.9, 0.999, 1e-8, 0, 0.1, 0.001, 1]);
      walk(phases.update);
    },
  };
}

/** Every gradient of a mean loss against central differences of its f64 twin. */
function expectGradients(weights: Weights, names: string, meanLoss: (weights: Weights) => number, found: (name: string) => number[][]): void {
  for (const [name, rows] of Object.entries(weights)) {
    if (!name.startsWith(names)) continue;
    const gradients = found(name);
    rows.forEach((row, r) => row.forEach((_, c) => {
      const moved = (by: number) => meanLoss({ ...weights, [name]: rows.map((other, i) => (i === r ? other.with(c, other[c]! + by) : other)) });
      expect(Math.abs(gradients[r]![c]! - (moved(1e-5) - moved(-1e-5)) / 2e-5), `${name} ${r} ${c}`).toBeLessThan(2e-5);
    }));
  }
}

const layer = (weights: Weights, name: string, x: number[]): number[] =>
  weights[`${name}.weight`]!.map((row, i) => row.reduce((sum, w, j) => sum + w * x[j]!, weights[`${name}.bias`]![0]![i]!));
const mean = (list: number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
const tanh = (x: number[]): number[] => x.map(Math.tanh);

describe('a variational autoencoder', () => {
  const weights = randomWeights({ 'vae.encode': [12, 8], 'vae.mean': [8, 3], 'vae.variance': [8, 3], 'vae.decode': [3, 8], 'vae.out': [8, 12] });
  const [images, noise] = [randomRows(12, 1), randomRows(3, 5)];
  const BETA = 0.5;

  function graphOf(): Graph {
    const g = new GraphBuilder(tensorsOf(weights));
    const x = inputRows(g, 'images', 12), z0 = inputRows(g, 'noise', 3);
    const hidden = activate(g, linear(g, x, 'vae.encode', 8), 'tanh');
    const [mu, variance] = [linear(g, hidden, 'vae.mean', 3), linear(g, hidden, 'vae.variance', 3)];
    const z = gaussian(g, mu, variance, z0, 'z');
    const y = linear(g, activate(g, linear(g, z, 'vae.decode', 8), 'tanh'), 'vae.out', 12);
    return g.finish({ rebuilt: squaredError(g, y, x, 'rebuilt'), order: gaussianKl(g, mu, variance, 'order', BETA) });
  }

  const twin = (w: Weights): { rebuilt: number[]; order: number[] } => {
    const each = images.map((x, i) => {
      const hidden = tanh(layer(w, 'vae.encode', x)), mu = layer(w, 'vae.mean', hidden), variance = layer(w, 'vae.variance', hidden);
      const y = layer(w, 'vae.out', tanh(layer(w, 'vae.decode', draw(mu, variance, noise[i]!))));
      return [squares(y, x), kl(mu, variance)] as const;
    });
    return { rebuilt: each.map(([a]) => a), order: each.map(([, b]) => b) };
  };

  it('has both losses and their gradients together, and learns', async () => {
    const vae = await machine(graphOf(), weights, { vae: { losses: ['rebuilt', 'order'], learns: 'vae.' } });
    vae.input('images', images);
    vae.input('noise', noise);
    const { phases } = vae.objective('vae');
    vae.walk(phases.clear);
    vae.walk(phases.learn);
    const expected = twin(weights);
    for (const name of ['rebuilt', 'order'] as const) vae.loss(name).forEach((loss, row) => expect(loss).toBeCloseTo(expected[name][row]!, 4));
    expectGradients(weights, 'vae.', (w) => mean(twin(w).rebuilt) + BETA * mean(twin(w).order), (name) => vae.read(name, 'gradients'));
    const before = mean(expected.rebuilt) + BETA * mean(expected.order);
    for (let step = 0; step < 40; step++) {
      vae.walk(phases.clear);
      vae.walk(phases.learn);
      vae.update('vae', 0.02);
    }
    vae.walk(phases.evaluate);
    expect(mean(vae.loss('rebuilt')) + BETA * mean(vae.loss('order'))).toBeLessThan(before / 2);
  });
});

describe('a GAN', () => {
  const weights = randomWeights({ 'g.hidden': [4, 8], 'g.out': [8, 6], 'd.hidden': [6, 8], 'd.out': [8, 1] });
  const [real, noise] = [randomRows(6, 2), randomRows(4, 7)];

  function graphOf(): Graph {
    const g = new GraphBuilder(tensorsOf(weights));
    const judge = (x: Value) => linear(g, activate(g, linear(g, x, 'd.hidden', 8), 'tanh'), 'd.out', 1);
    const made = linear(g, activate(g, linear(g, inputRows(g, 'noise', 4), 'g.hidden', 8), 'tanh'), 'g.out', 6);
    const [onReal, onMade] = [judge(inputRows(g, 'real', 6)), judge(made)];
    return g.finish({ real: logisticLoss(g, onReal, 1, 'real'), made: logisticLoss(g, onMade, 0, 'made'), fooled: logisticLoss(g, onMade, 1, 'fooled') });
  }

  const judge = (w: Weights, x: number[]): number[] => layer(w, 'd.out', tanh(layer(w, 'd.hidden', x)));
  const make = (w: Weights, z: number[]): number[] => layer(w, 'g.out', tanh(layer(w, 'g.hidden', z)));
  const discriminate = (w: Weights): number => mean(real.map((x) => logistic(judge(w, x), 1))) + mean(noise.map((z) => logistic(judge(w, make(w, z)), 0)));
  const fool = (w: Weights): number => mean(noise.map((z) => logistic(judge(w, make(w, z)), 1)));

  it('has two phases: each learns by its own losses and weights, and leaves the others as they are', async () => {
    const gan = await machine(graphOf(), weights, { discriminator: { losses: ['real', 'made'], learns: 'd.' }, generator: { losses: ['fooled'], learns: 'g.' } });
    gan.input('real', real);
    gan.input('noise', noise);
    const step = (name: string) => {
      gan.walk(gan.objective(name).phases.clear);
      gan.walk(gan.objective(name).phases.learn);
    };
    const changed = (from: Weights, to: Weights) => Object.keys(weights).filter((name) => JSON.stringify(from[name]) !== JSON.stringify(to[name]));
    const now = (): Weights => Object.fromEntries(Object.keys(weights).map((name) => [name, gan.read(name, 'weights')]));
    let before = now();
    expect(before).toEqual(weights);
    for (let round = 0; round < 3; round++) {
      step('discriminator');
      expect(mean(gan.loss('real')) + mean(gan.loss('made'))).toBeCloseTo(discriminate(before), 4);
      expectGradients(before, 'd.', discriminate, (name) => gan.read(name, 'gradients'));
      gan.update('discriminator', 0.01);
      const between = now();
      expect(changed(before, between)).toEqual(['d.hidden.weight', 'd.hidden.bias', 'd.out.weight', 'd.out.bias']);
      expect(discriminate(between)).toBeLessThan(discriminate(before));
      step('generator');
      expect(mean(gan.loss('fooled'))).toBeCloseTo(fool(between), 4);
      expectGradients(between, 'g.', fool, (name) => gan.read(name, 'gradients'));
      gan.update('generator', 0.01);
      before = now();
      expect(changed(between, before)).toEqual(['g.hidden.weight', 'g.hidden.bias', 'g.out.weight', 'g.out.bias']);
      expect(fool(before)).toBeLessThan(fool(between));
    }
  });
});
