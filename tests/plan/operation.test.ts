// An operation that exists only here goes the whole way: graph, plan, gradient, run. No other file knows it.
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/graph/builder.js';
import type { Gradient, Op, Value } from '../../src/graph/node.js';
import { Arena } from '../../src/kernels/arena.js';
import { instantiateTrainKernels } from '../../src/kernels/instance.js';
import { singleThread } from '../../src/kernels/pool.js';
import { SLOT } from '../../src/kernels/steps.js';
import { nodeHost } from '../../src/host/node.js';
import { lookUp } from '../../src/ops/embed.js';
import { GRADIENTS } from '../../src/ops/gradients.js';
import { product } from '../../src/ops/linear.js';
import { INPUT_OF, OUTPUT_OF, TABLE_OF } from '../../src/plan/addresses.js';
import { layOutParameters, placeParameters } from '../../src/plan/parameters.js';
import { trainingGraph } from '../../src/plan/passes/training.js';
import { planRun } from '../../src/plan/plan.js';
import { planTraining } from '../../src/plan/train-plan.js';
import { PlanRunner } from '../../src/run/run.js';
import { evaluate } from '../../src/run/types.js';
import type { TensorInfo } from '../../src/files/types.js';
import { trainHost } from '../train/support.js';

/** x sigmoid(x), by two kernels that are there. */
const swish: Op<object> = {
  name: 'swish',
  columns: ([x]) => x!.columns,
  forward(on, { inputs, output }) {
    const [x, y] = [on.read(inputs[0]!), on.write(output)];
    on.call('silu_f32', [y.at, x.at, output.columns, y.stride, x.stride], on.rows(output));
  },
};
const swishGradient: Gradient<object> = {
  keeps: ({ inputs }) => inputs,
  backward(on, { inputs, output }) {
    const [dy, x] = [on.gradient(output), on.read(inputs[0]!)];
    on.intoInputs(inputs, ([dx]) => on.call('silu_f32_grad', [dx!.at, dy.at, x.at, output.columns, dx!.stride, dy.stride, x.stride], on.rows(output)));
  },
};

const COLUMNS = 11, IDS = 7;
const tensors = new Map<string, TensorInfo>(['table', 'out'].map((name) => [name, { name, type: 'f32', shape: [COLUMNS, IDS], bytes: COLUMNS * IDS * 4 }]));
/** Rows of both matrices. */
const values = Array.from({ length: 2 * IDS * COLUMNS }, (_, i) => Math.sin(i * 1.7) * 0.8);

function graphOf() {
  const g = new GraphBuilder(tensors);
  const x = lookUp(g, g.input('ids', { kind: 'ids', below: IDS }), 'table', COLUMNS, IDS);
  const y: Value = g.node({ op: swish, attributes: {}, inputs: [x], columns: COLUMNS, label: 'swish' });
  return g.finish({ logits: product(g, y, 'out', IDS) });
}

async function machine(all = values) {
  const kernels = instantiateTrainKernels(await Promise.all([nodeHost().compile('simd', false), nodeHost().compile('simd', false, 'floats')]), await trainHost.compileTraining('simd', false), 'simd');
  const arena = new Arena(kernels.memory), graph = graphOf();
  const layout = layOutParameters(graph.weights, tensors, () => true);
  const region = () => arena.allocate(layout.count * 4, 'a region');
  const regions = { weights: region(), gradients: region(), first: region(), second: region() };
  const weights = placeParameters(layout, regions.weights);
  const raw = arena.allocate(COLUMNS * IDS * 4, 'rows');
  ['table', 'out'].forEach((name, i) => {
    new Float32Array(kernels.memory.buffer, raw, IDS * COLUMNS).set(all.slice(i * IDS * COLUMNS, (i + 1) * IDS * COLUMNS));
    kernels.exports.repack_f32(weights.get(name)!.address, raw, IDS, COLUMNS);
  });
  return { kernels, arena, graph, layout, regions, weights };
}

const expectedLogits = (id: number, all = values): number[] => {
  const x = all.slice(id * COLUMNS, (id + 1) * COLUMNS).map((v) => v / (1 + Math.exp(-v)));
  return Array.from({ length: IDS }, (_, row) => x.reduce((sum, v, i) => sum + v * all[(IDS + row) * COLUMNS + i]!, 0));
};

const SEQUENCE = [3, 1, 6, 0, 2], TARGETS = [1, 6, -1, 2, 5];
const loss = (all: number[]): number =>
  SEQUENCE.reduce((sum, id, row) => {
    const logits = expectedLogits(id, all);
    return TARGETS[row]! < 0 ? sum : sum + Math.log(logits.reduce((total, x) => total + Math.exp(x), 0)) - logits[TARGETS[row]!]!;
  }, 0);

describe('an operation of a test', () => {
  it('runs', async () => {
    const { kernels, arena, graph, weights } = await machine();
    const blueprint = planRun(graph, { exports: kernels.exports, weights, batch: 8, kvCache: 'f32', activations: 'q8', threads: 1 });
    const plan = blueprint.place(arena.allocate(blueprint.bytes, 'a plan'), weights);
    const runner = new PlanRunner({ graph, kernels, arena, plan, pool: singleThread(kernels, plan.steps), contextLength: 100, maxBatch: 8 });
    evaluate(runner, runner.newSequence(), SEQUENCE, { logits: 'all' });
    SEQUENCE.forEach((id, row) => Array.from(runner.logits(row)).forEach((value, i) => expect(value).toBeCloseTo(expectedLogits(id)[i]!, 5)));
  });

  it('learns', async () => {
    const { kernels, arena, graph, layout, regions, weights } = await machine();
    const form = trainingGraph(graph, { dropout: false, weighted: false });
    const gradients = new Map([...GRADIENTS, [swish as never, swishGradient as never]]);
    const options = { exports: kernels.exports, weights, objectives: [{ name: 'all', losses: ['loss'], layout }], sequences: 1, length: SEQUENCE.length, dropout: 0, threads: 1 };
    expect(() => planTraining(form, options)).toThrow('swish has no gradient');
    const blueprint = planTraining(form, { ...options, gradients });
    const plan = blueprint.place(arena.allocate(blueprint.bytes, 'a plan'), { weights, regions: { all: regions } });
    const pool = singleThread(kernels, plan.steps);
    const write = (name: string, numbers: number[]) => new Int32Array(kernels.memory.buffer, plan.addressOf(name), numbers.length).set(numbers);
    write(INPUT_OF('ids'), SEQUENCE);
    write(INPUT_OF('targets'), TARGETS);
    write(TABLE_OF('positions', 'all'), [0, 1, 2, 3, 4]);
    write(TABLE_OF('rows', 'output'), [0, 1, 2, 3, 4]);
    pool.slots[SLOT.tokens] = pool.slots[SLOT.outputTokens] = SEQUENCE.length;
    for (const { first, end } of [plan.objectives['all']!.phases.clear, plan.objectives['all']!.phases.learn]) {
      pool.slots[SLOT.stepFirst] = first;
      pool.slots[SLOT.stepCount] = end;
      pool.run();
    }
    const losses = new Float32Array(kernels.memory.buffer, plan.addressOf(OUTPUT_OF('loss')), SEQUENCE.length);
    expect(losses.reduce((a, b) => a + b, 0)).toBeCloseTo(loss(values), 4);
    ['table', 'out'].forEach((name, matrix) => {
      const packed = new Float32Array(kernels.memory.buffer, regions.gradients + layout.offsets.get(name)!.offset * 4, IDS * COLUMNS + 8 * COLUMNS);
      for (let at = 0; at < IDS * COLUMNS; at++) {
        const moved = (by: number) => loss(values.with(matrix * IDS * COLUMNS + at, values[matrix * IDS * COLUMNS + at]! + by));
        const expected = (moved(1e-4) - moved(-1e-4)) / 2e-4 / SEQUENCE.length;
        const row = Math.floor(at / COLUMNS), column = at % COLUMNS;
        expect(packed[(row >> 3) * COLUMNS * 8 + column * 8 + (row & 7)]).toBeCloseTo(expected, 4);
      }
    });
  });
});
