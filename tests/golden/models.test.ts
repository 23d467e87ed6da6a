import { afterAll, describe, expect, it } from 'vitest';
import { openModel } from '../../src/files/index.js';
import { nodeHost } from '../../src/host/node.js';
import { loadRunner, type RunnerOptions } from '../../src/run/load.js';
import { evaluate, type Runner } from '../../src/run/types.js';
import { ordinary } from '../run/support.js';
import { dataPath, hasData, readJson, titled } from './data.js';

interface Step {
  step: number;
  pos?: number;
  top5: [number, number][];
  logit_sum: number;
  logsumexp: number;
}
interface Greedy {
  prompt: string;
  prompt_ids: number[];
  ids: number[];
  min_top1_top2_margin: number;
  steps: Step[];
  stopped_on_bos?: boolean;
  stopped_on_eos?: boolean;
}
interface Perplexity {
  text: string;
  ids: number[];
  nll_sum: number;
}
interface Golden {
  greedy: Greedy[];
  perplexity: Perplexity[];
}
interface Quantised {
  texts: string[];
  cases: { file: string; greedy?: Greedy; greedy_ids?: number[]; nll_sums: number[] }[];
}

/** What the golden files state for an f32 engine against their float64, in logits. */
const LOGIT_TOLERANCE = 1e-4;
/** Below this margin between the best two logits an f32 engine may differ (golden files, `computed`). */
const SAFE_MARGIN = 1e-3;

const host = nodeHost();
const open = (path: string) => openModel(dataPath(path), { open: host.open, list: host.list });
const loaded = new Map<string, Promise<Runner>>();
function runnerOf(path: string, options: Partial<RunnerOptions> = {}): Promise<Runner> {
  const key = `${path} ${JSON.stringify(options)}`;
  if (!loaded.has(key)) loaded.set(key, load(path, options));
  return loaded.get(key)!;
}
async function load(path: string, options: Partial<RunnerOptions>): Promise<Runner> {
  const file = await open(path);
  try {
    return (await loadRunner(host, file, { ...ordinary, ...options })).runner;
  } finally {
    await file.close();
  }
}
afterAll(async () => {
  for (const runner of loaded.values()) (await runner).dispose();
});

const logsumexp = (logits: Float32Array): number => {
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  return top + Math.log(logits.reduce((sum, x) => sum + Math.exp(x - top), 0));
};

/** Follows the golden ids (teacher forcing) and calls `look` with the logits after each position. */
function follow(runner: Runner, ids: readonly number[], look: (logits: Float32Array, position: number) => void): void {
  const cache = runner.newSequence();
  for (let at = 0; at < ids.length; at += runner.maxBatch) {
    const part = ids.slice(at, at + runner.maxBatch);
    evaluate(runner, cache, part, { logits: 'all' });
    part.forEach((_, row) => look(runner.logits(row), at + row));
  }
  cache.release();
}

function checkGreedy(runner: Runner, golden: Greedy, tolerance: number): void {
  const first = golden.prompt_ids.length;
  const steps = new Map(golden.steps.map((step) => [step.pos ?? first - 1 + step.step, step]));
  follow(runner, golden.ids, (logits, position) => {
    const next = golden.ids[position + 1];
    const best = logits.indexOf(logits.reduce((a, b) => Math.max(a, b), -Infinity));
    if (position >= first - 1 && next !== undefined && golden.min_top1_top2_margin > SAFE_MARGIN) expect(best, `greedy id at ${position}`).toBe(next);
    const step = steps.get(position);
    if (!step) return;
    for (const [id, value] of step.top5) expect(Math.abs(logits[id]! - value), `logit ${id} at ${position}`).toBeLessThan(tolerance);
    expect(Math.abs(logsumexp(logits) - step.logsumexp)).toBeLessThan(tolerance);
    expect(Math.abs(logits.reduce((a, b) => a + b, 0) - step.logit_sum)).toBeLessThan(tolerance * logits.length);
  });
}

function nllSum(runner: Runner, ids: readonly number[]): number {
  let sum = 0;
  follow(runner, ids, (logits, position) => {
    const next = ids[position + 1];
    if (next !== undefined) sum += logsumexp(logits) - logits[next]!;
  });
  return sum;
}

const FLOAT_MODELS: [golden: string, files: string[]][] = [
  ['golden/stories260K.json', ['models/llama2c/stories260K/stories260K.bin', 'models/llama2c/stories260K/stories260K_v1.bin', 'models/derived/stories260K/stories260K-F32.gguf', 'models/derived/stories260K']],
  ['golden/tinytinystories44K.json', ['models/llama2c/tinytinystories44K/tinytinystories44K.bin']],
  ['golden/TinyStories-656K.json', ['models/hf/TinyStories-656K']],
];

describe.skipIf(!hasData)(titled('float models reproduce the golden values'), () => {
  for (const [name, files] of FLOAT_MODELS) {
    const golden = hasData ? readJson<Golden>(name) : { greedy: [], perplexity: [] };
    describe.each(files)('%s', (file) => {
      it.each(golden.greedy.map((g) => [g.prompt, g] as const))('greedy from "%s"', async (_, greedy) => checkGreedy(await runnerOf(file), greedy, LOGIT_TOLERANCE));
      it.each(golden.perplexity.map((p) => [p.text.slice(0, 30), p] as const))('perplexity of "%s…"', async (_, { ids, nll_sum }) => {
        expect(Math.abs(nllSum(await runnerOf(file), ids) - nll_sum)).toBeLessThan(1e-4 * ids.length);
      });
    });
  }
});

const QUANTISED: [string, string][] = [
  ['golden/stories260K-quantised.json', 'golden/stories260K.json'],
  ['golden/TinyStories-656K-quantised.json', 'golden/TinyStories-656K.json'],
];

describe.skipIf(!hasData)(titled('quantised models reproduce the golden values'), () => {
  for (const [name, floatName] of QUANTISED) {
    const golden = hasData ? readJson<Quantised>(name) : { texts: [], cases: [] };
    const float = hasData ? readJson<Golden>(floatName) : { greedy: [], perplexity: [] };
    const idsOf = (text: string) => float.perplexity.find((p) => p.text === text)!.ids;
    describe.each(golden.cases.map((c) => [c.file, c] as const))('%s', (file, values) => {
      const sequence = values.greedy?.ids ?? values.greedy_ids ?? [];
      const greedy: Greedy = values.greedy ?? { prompt: '', prompt_ids: float.greedy.find((g) => g.prompt === 'Once upon a time')?.prompt_ids ?? [], ids: sequence, min_top1_top2_margin: 1, steps: [] };

      it('with f32 activations, within the tolerance of float models', async () => {
        const runner = await runnerOf(file, { activations: 'f32' });
        checkGreedy(runner, greedy, LOGIT_TOLERANCE);
        values.nll_sums.forEach((sum, i) => expect(Math.abs(nllSum(runner, idsOf(golden.texts[i]!)) - sum)).toBeLessThan(1e-4 * idsOf(golden.texts[i]!).length));
      });

      it('with int8 activations (the default), the same greedy ids', async () => {
        checkGreedy(await runnerOf(file), { ...greedy, steps: [] }, 0);
      });

      it('with int8 activations, the same perplexity to 1 %', async () => {
        for (const [i, sum] of values.nll_sums.entries()) {
          expect(Math.abs(nllSum(await runnerOf(file), idsOf(golden.texts[i]!)) / sum - 1)).toBeLessThan(0.01);
        }
      });
    });
  }
});
