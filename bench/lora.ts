/**
 * One step of training an adapter (rank 8 on all linear layers) beside a quantised model: tokens per second, and memory
 * against twice the file plus activations.
 *
 *   npx esbuild bench/lora.ts --bundle --platform=node --format=esm --packages=external --outfile=.cache/bench/lora.mjs
 *   flock /tmp/measure.lock node .cache/bench/lora.mjs MODEL.gguf [--length 256] [--threads 1,2] [--steps 5] [--build simd]
 */
import { outputOf } from '../src/graph/graph.js';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { openModel } from '../src/files/index.js';
import type { Build } from '../src/host/host.js';
import { compileTrainKernels } from '../src/host/compile-train.js';
import { nodeHost } from '../src/host/node.js';
import { TrainEngine } from '../src/train/loop/engine.js';
import { isAdapterTensor, LORA_DEFAULTS, withNewAdapter } from '../src/train/tuning/lora.js';
import { updateAt } from '../src/train/loop/optimizer.js';
import { Random } from '../src/train/data/random.js';

const { positionals, values: args } = parseArgs({
  allowPositionals: true,
  options: { length: { type: 'string', default: '256' }, threads: { type: 'string', default: '1,2' }, steps: { type: 'string', default: '5' }, build: { type: 'string', default: '' } },
});
const [path] = positionals;
if (!path) throw new Error('node .cache/bench/lora.mjs MODEL.gguf');
const length = Number(args.length);
const host = nodeHost();
const build = (args.build || host.builds[0]!) as Build;
const ADAM = { learningRate: 1e-3, finalRate: 1e-4, warmup: 1, steps: 100, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.01, maxGradNorm: 1 };

/** Highest resident memory of this process, in bytes (Linux). */
const peak = (): number => Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? NaN) * 1024;
const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

const before = peak();
for (const threads of args.threads.split(',').map(Number)) {
  const base = await openModel(path, { open: host.open, list: host.list });
  const file = withNewAdapter(base, LORA_DEFAULTS, 1);
  const engine = await TrainEngine.open({ host, compileTraining: compileTrainKernels }, file, { build, threads, sequences: 1, length, dropout: 0, trained: isAdapterTensor });
  const random = new Random(7);
  const vocabulary = outputOf(engine.graph, 'logits').columns;
  const batch = {
    ids: Int32Array.from({ length }, () => random.below(vocabulary)), targets: Int32Array.from({ length }, () => random.below(vocabulary)),
    positions: Int32Array.from({ length }, (_, i) => i), spans: Int32Array.from([0, length]), count: length,
  };
  const seconds: number[] = [];
  const busy: number[] = [];
  const losses: number[] = [];
  for (let step = 1; step <= Number(args.steps) + 1; step++) {
    const started = performance.now();
    const used = process.cpuUsage();
    engine.clear();
    losses.push(engine.learn(batch, step) / length);
    engine.update(updateAt(step, engine.norm(), 1, ADAM));
    if (step === 1) continue;
    const { user, system } = process.cpuUsage(used);
    seconds.push((performance.now() - started) / 1000);
    busy.push((user + system) / 1e6);
  }
  const { need } = engine;
  const allowed = 2 * base.fileBytes + need.activations;
  console.log(
    `${build}, ${threads} ${threads === 1 ? 'thread' : 'threads'}: ${(length / median(seconds)).toFixed(1)} tokens/s, ${(length / median(busy)).toFixed(1)} per second of processor time (median of ${seconds.length} steps of ${length} tokens), loss ${losses[0]!.toFixed(3)} to ${losses.at(-1)!.toFixed(3)}\n` +
    `  file ${mib(base.fileBytes)}; linear memory ${mib(need.total)}: weights, adapter and moments ${mib(need.parameters)}, activations ${mib(need.activations)}, samples ${mib(need.generation)}; allowed ${mib(allowed)} (2 x file + activations); ` +
    `process at most ${mib(peak())}, of which ${mib(before)} before`,
  );
  engine.dispose();
  await base.close();
}
