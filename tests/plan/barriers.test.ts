import { afterEach, describe, expect, it } from 'vitest';
import { syntheticModel } from '../../src/bench/synthetic.js';
import { openModel } from '../../src/files/index.js';
import type { ModelFile } from '../../src/files/types.js';
import { nodeHost } from '../../src/host/node.js';
import { bindSteps, SLOT, type Step, walk } from '../../src/kernels/steps.js';
import type { Pool } from '../../src/kernels/pool.js';
import { loadRunner, type LoadedRunner } from '../../src/run/load.js';
import { type TinyShape, tinyModel } from '../models/tiny.js';
import { allLogits, bits, ordinary } from '../run/support.js';

const llama: TinyShape = { architecture: 'llama', embedding: 48, layers: 2, heads: 6, kvHeads: 2, feedForward: 88, vocabulary: 101, context: 160 };
const ids = Array.from({ length: 75 }, (_, i) => (i * 37 + 11) % 101);
const THREADS = 3;

/** One thread plays several: all of one's share of the steps between two meetings, then all of the next one's. */
function playThreads({ runner, plan }: LoadedRunner, order: readonly number[], steps: readonly Step[] = plan.steps): void {
  const parts = (runner as unknown as { parts: { pool: Pool } }).parts;
  const bound = order.map((_, thread) => bindSteps(steps, runner.kernels.exports, thread));
  const real = parts.pool, { slots } = real;
  const run = () => {
    const count = slots[SLOT.stepCount]!;
    for (let first = 0; first < count; ) {
      let end = first + 1;
      while (end < count && steps[end - 1]!.runsOn) end++;
      for (const thread of order) {
        slots[SLOT.stepFirst] = first;
        slots[SLOT.stepCount] = end;
        walk(bound[thread]!, slots, thread, THREADS);
      }
      first = end;
    }
    slots[SLOT.stepFirst] = 0;
    slots[SLOT.stepCount] = count;
  };
  parts.pool = { threads: THREADS, slots, run, stop: () => real.stop() };
}

const running: LoadedRunner[] = [];
afterEach(() => running.splice(0).forEach(({ runner }) => runner.dispose()));

/** Scratch for all threads; the workers that start too are not used. */
async function load(file: ModelFile): Promise<LoadedRunner> {
  const loaded = await loadRunner(nodeHost(), file, { ...ordinary, threads: THREADS });
  running.push(loaded);
  return loaded;
}
const logits = ({ runner }: LoadedRunner) => allLogits(runner, ids, [1, 3, 64]).map((row) => bits(row));
/** Quantised weights, so that activations are quantised too. */
const quantised = async () => openModel(await syntheticModel(), { open: nodeHost().open, list: nodeHost().list });

describe('where threads meet', () => {
  it.each([
    ['llama', llama],
    ['gpt2', { ...llama, architecture: 'gpt2', kvHeads: 6 } as TinyShape],
    ['qwen2', { ...llama, architecture: 'qwen2' } as TinyShape],
    ['qwen3', { ...llama, architecture: 'qwen3', headDim: 16 } as TinyShape],
  ])('%s: any thread may be ahead of the others up to the next meeting', async (_, shape) => {
    const expected = logits(await load(tinyModel(shape)));
    for (const order of [[0, 1, 2], [2, 1, 0], [1, 2, 0]]) {
      const loaded = await load(tinyModel(shape));
      playThreads(loaded, order);
      expect(logits(loaded)).toEqual(expected);
    }
  });

  it('the same with quantised activations', async () => {
    const expected = logits(await load(await quantised()));
    const loaded = await load(await quantised());
    playThreads(loaded, [2, 1, 0]);
    expect(logits(loaded)).toEqual(expected);
  });

  it('notices a meeting that is missing', async () => {
    const expected = logits(await load(tinyModel(llama)));
    const loaded = await load(tinyModel(llama));
    playThreads(loaded, [2, 1, 0], loaded.plan.steps.map((step) => ({ ...step, runsOn: true })));
    expect(logits(loaded)).not.toEqual(expected);
  });

  it('is ten times a layer or fewer', async () => {
    const { plan } = await load(tinyModel(llama));
    const meetings = plan.steps.filter(({ runsOn }) => !runsOn).length;
    expect(meetings).toBeLessThanOrEqual(2 * 10 + 3);
    expect(plan.steps.length).toBeGreaterThan(2 * 15);
  });
});
