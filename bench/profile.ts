/**
 * Where the time of a prefill and of a decoded token goes, step by step.
 *
 *   npx esbuild bench/profile.ts --bundle --platform=node --format=esm --packages=external --outfile=.cache/profile.mjs
 *   node24 .cache/profile.mjs MODEL.gguf [--build relaxed] [--context 512] [--kv f32] [--rounds 20] [--tokens 64] [--kernels DIR,DIR]
 *
 * One thread walks the plan one step at a time. Each step's least time over the rounds counts; steps of one kernel and shape are added up.
 * --kernels compares modules (folders with <build>.wasm) in one process, round by round.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { openModel } from '../src/files/index.js';
import type { ModelFile } from '../src/files/types.js';
import type { KvType } from '../src/graph/node.js';
import type { Host } from '../src/host/host.js';
import { nodeHost } from '../src/host/node.js';
import type { Build } from '../src/kernels/instance.js';
import { type Pool, singleThread } from '../src/kernels/pool.js';
import { SLOT, type Step } from '../src/kernels/steps.js';
import { loadRunner } from '../src/run/load.js';
import type { PlanRunner } from '../src/run/run.js';
import { evaluate, type SequenceState } from '../src/run/types.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    build: { type: 'string', default: 'relaxed' }, context: { type: 'string', default: '512' }, kv: { type: 'string', default: 'f32' },
    rounds: { type: 'string', default: '20' }, tokens: { type: 'string', default: '64' }, kernels: { type: 'string', default: '' },
  },
});
const build = values.build as Build;
const [context, rounds, batch] = [Number(values.context), Number(values.rounds), Number(values.tokens)];

interface Subject {
  readonly name: string;
  readonly runner: PlanRunner;
  readonly cache: SequenceState;
  readonly steps: readonly Step[];
  /** One step at a time over the same slots. */
  readonly pool: Pool;
}

async function open(name: string, host: Host, file: ModelFile): Promise<Subject> {
  const { runner, plan } = await loadRunner(host, file, { build, threads: 1, contextLength: context + batch + 1, kvCache: values.kv as KvType, activations: 'q8' });
  const own = (runner as unknown as { parts: { pool: Pool } }).parts.pool;
  const walker = singleThread(runner.kernels, plan.steps);
  return { name, runner, cache: runner.newSequence(), steps: plan.steps, pool: { ...walker, slots: own.slots, run: () => {
    walker.slots.set(own.slots);
    walker.run();
  } } };
}

/** Least nanoseconds of each step. */
type Times = Float64Array;

function measure(subject: Subject, tokens: number, times: Times, totals: number[]): void {
  const { runner, cache, pool, steps } = subject;
  cache.keep(context);
  const ids = Int32Array.from({ length: tokens }, (_, i) => (i * 7919 + 300) % runner.vocabulary);
  const begin = process.hrtime.bigint();
  evaluate(runner, cache, ids, { logits: tokens === 1 ? 'last' : 'none' });
  totals.push(Number(process.hrtime.bigint() - begin));
  const count = pool.slots[SLOT.stepCount]!;
  for (let i = 0; i < count; i++) {
    pool.slots[SLOT.stepFirst] = i;
    pool.slots[SLOT.stepCount] = i + 1;
    const start = performance.now();
    pool.run();
    times[i] = Math.min(times[i]!, (performance.now() - start) * 1e6);
  }
  pool.slots[SLOT.stepFirst] = 0;
  pool.slots[SLOT.stepCount] = count;
  for (let i = count; i < steps.length; i++) times[i] = 0;
}

const shapeOf = ({ kernel, arguments: list }: Step): string => {
  const at = (i: number) => list[i]!.base;
  return kernel.startsWith('matmul') ? `${kernel} ${at(5)} x ${at(6)}` : kernel;
};

function groups({ steps }: Subject, times: Times): Map<string, { time: number; count: number; weights: number }> {
  const found = new Map<string, { time: number; count: number; weights: number }>();
  steps.forEach((step, i) => {
    const name = shapeOf(step);
    const entry = found.get(name) ?? { time: 0, count: 0, weights: 0 };
    const weights = step.kernel.startsWith('matmul') && times[i]! > 0 ? step.arguments[5]!.base * step.arguments[6]!.base : 0;
    found.set(name, { time: entry.time + times[i]!, count: entry.count + 1, weights: entry.weights + weights });
  });
  return found;
}

const median = (list: number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1]!;

function show(what: string, tokens: number, subjects: readonly Subject[], all: readonly Times[], totals: readonly number[][]): void {
  const tables = subjects.map((subject, i) => groups(subject, all[i]!));
  const sums = all.map((times) => times.reduce((a, b) => a + b, 0));
  console.log(`\n${what}`);
  subjects.forEach(({ name }, i) => {
    const [best, middle] = [Math.min(...totals[i]!), median(totals[i]!)];
    console.log(`  ${name}: best ${((1e9 * tokens) / best).toFixed(1)} tok/s, median ${((1e9 * tokens) / middle).toFixed(1)}; sum of steps ${((1e9 * tokens) / sums[i]!).toFixed(1)}`);
  });
  for (const [name, { count }] of [...tables[0]!].sort((a, b) => b[1].time - a[1].time)) {
    const cells = tables.map((table, i) => {
      const { time, weights } = table.get(name)!;
      const rate = weights ? `${((weights * tokens) / time).toFixed(1).padStart(6)} Gw/s` : '           ';
      return `${(time / 1e3).toFixed(0).padStart(8)} us ${((100 * time) / sums[i]!).toFixed(1).padStart(5)} % ${rate}`;
    });
    const change = tables.length > 1 ? tables.slice(1).map((table) => `  x${(tables[0]!.get(name)!.time / table.get(name)!.time).toFixed(3)}`).join('') : '';
    console.log(`  ${name.padEnd(32)} ${String(count).padStart(3)} ${cells.join(' | ')}${change}`);
  }
}

const file = await openModel(positionals[0]!, { open: nodeHost().open, list: nodeHost().list });
const folders = values.kernels ? values.kernels.split(',') : [];
const subjects: Subject[] = [];
if (folders.length === 0) subjects.push(await open('embedded', nodeHost(), file));
for (const folder of folders) {
  subjects.push(await open(folder, nodeHost({ kernels: (which, shared) => readFile(`${folder}/${which}${shared ? '-shared' : ''}.wasm`) as never }), file));
}
// Fill the caches: the context that attention walks.
for (const { runner, cache } of subjects) {
  for (let done = 0; done < context; done += batch) evaluate(runner, cache, Int32Array.from({ length: Math.min(batch, context - done) }, (_, i) => (done + i * 31) % runner.vocabulary), { logits: 'none' });
}
for (const [what, tokens, count] of [['decode', 1, rounds], ['prefill', batch, Math.max(5, rounds >> 2)]] as const) {
  if (tokens === 0) continue;
  const times = subjects.map(({ steps }) => new Float64Array(steps.length).fill(Infinity));
  const totals = subjects.map((): number[] => []);
  for (let round = 0; round < count; round++) subjects.forEach((subject, i) => measure(subject, tokens, times[i]!, totals[i]!));
  show(`${what}, ${tokens} at ${context} of ${positionals[0]!.split('/').at(-1)}, ${build}`, tokens, subjects, times, totals);
}
