/**
 * Fine-tuning a real model by an adapter beside PEFT on PyTorch: the same examples in the same batches from the same initial
 * weights at the same rates, step by step in turns. Prints the time of a step and of an evaluation, and the validation loss.
 *
 *   npx esbuild bench/finetune.ts --bundle --platform=node --format=esm --packages=external --outfile=.cache/bench/finetune.mjs
 *   node24 .cache/bench/finetune.mjs [--python /opt/ref/bin/python] [--steps 15] [--threads 2] [--build relaxed] [--fused]
 *       [--model FILE.gguf] [--examples FILE.json] [--count 300] [--batch 13] [--json]
 *
 * --python: one with torch, transformers, gguf and peft (0.21); '' leaves PEFT out. --steps: how many of the run are taken;
 * 0 takes all. Defaults: SmolLM2-135M-Instruct in Q4_1 (../shared/models-real), the first 300 examples of
 * ../shared/data/corpora/instruct, rank 8 on all linear layers.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { openModel } from '../src/files/index.js';
import type { Build } from '../src/host/host.js';
import { compileTrainKernels } from '../src/host/compile-train.js';
import { nodeHost } from '../src/host/node.js';
import { tokenizerFromModel } from '../src/text/index.js';
import type { Batch } from '../src/train/data/batches.js';
import { PackedStream, packedBatchesOf } from '../src/train/data/packing.js';
import type { TokenizedExample } from '../src/train/data/tokenized.js';
import { TrainEngine } from '../src/train/loop/engine.js';
import { bytesById, evaluateBatches } from '../src/train/loop/evaluation.js';
import { type LoopEvent, newState, runLoop } from '../src/train/loop/loop.js';
import { loopSettings } from '../src/train/pretraining/settings.js';
import { textKernels } from '../src/train/tokenizer/vocabulary.js';
import { prepareTuningDataset } from '../src/train/tuning/dataset.js';
import { adapterWeights } from '../src/train/tuning/lora.js';
import { modelToTune } from '../src/train/tuning/tuned.js';

const MODELS = process.env['STONECHAT_MODELS'] ?? join(homedir(), '.cache/stonechat/models');
const { values: args } = parseArgs({
  options: {
    python: { type: 'string', default: '/opt/ref/bin/python' }, steps: { type: 'string', default: '15' },
    threads: { type: 'string', default: '2' }, build: { type: 'string', default: '' },
    fused: { type: 'boolean', default: false }, json: { type: 'boolean', default: false },
    model: { type: 'string', default: join(MODELS, 'SmolLM2-135M-Instruct.Q4_1.gguf') },
    examples: { type: 'string', default: '../shared/data/corpora/instruct/instruction-data.json' },
    count: { type: 'string', default: '300' }, batch: { type: 'string', default: '13' },
  },
});
const FOLDER = '.cache/finetune';
const threads = Number(args.threads);
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;

/** An example as both sides take it: its ids, and what follows each where it is learnt (else -1). */
interface Row {
  readonly ids: number[];
  readonly targets: number[];
}

const rowOf = ({ ids, lossMask }: TokenizedExample): Row => ({
  ids: [...ids.subarray(0, -1)], targets: [...ids.subarray(1)].map((id, i) => (lossMask[i + 1] ? id : -1)),
});

/** The examples that lie in a batch. */
const rowsIn = ({ ids, spans, targets }: Batch): Row[] => [...spans.subarray(0, -1)].map((first, i) => ({
  ids: [...ids.subarray(first, spans[i + 1])], targets: [...targets.subarray(first, spans[i + 1])],
}));

interface Found {
  readonly loss: number;
  readonly seconds: number;
  readonly norm?: number;
}

/** bench/finetune-peft.py: a line of JSON for each order, and one for each answer. */
class Peft {
  private readonly process: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  constructor(python: string) {
    this.process = spawn(python, ['bench/finetune-peft.py'], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = createInterface({ input: this.process.stdout! })[Symbol.asyncIterator]();
  }

  async ask(order: object): Promise<Found> {
    this.process.stdin!.write(`${JSON.stringify(order)}\n`);
    const { value, done } = await this.lines.next();
    if (done) throw new Error('finetune-peft.py ended');
    return JSON.parse(value) as Found;
  }

  stop(): void {
    this.process.stdin!.end();
  }
}

async function prepare() {
  const plain = nodeHost();
  const from = { host: plain, compileTraining: compileTrainKernels };
  const base = await openModel(args.model, { open: plain.open, list: plain.list });
  const tokenizer = await tokenizerFromModel(base, await textKernels(from));
  const examples = (JSON.parse(readFileSync(args.examples, 'utf8')) as []).slice(0, Number(args.count));
  const options = { lora: true, batch: Number(args.batch), fusedMultiplyAdd: args.fused };
  const dataset = await prepareTuningDataset(base, tokenizer, examples, undefined, options);
  const { settings } = dataset;
  const { file, trained } = modelToTune(base, settings, options);
  const { context: length, microBatch: sequences, dropout } = settings;
  const build = (args.build || plain.builds[0]!) as Build;
  const shape = { build, threads, sequences, length, dropout, fusedMultiplyAdd: args.fused };
  const engine = await TrainEngine.open(from, file, { ...shape, trained });
  return { engine, dataset, build, bytes: bytesById(tokenizer), host: plain };
}

/** Our initial adapter, for PEFT to begin with too. */
function writeAdapter(engine: TrainEngine): { path: string; weights: { weight: string; rank: number; columns: number }[] } {
  const pairs = adapterWeights(engine);
  mkdirSync(FOLDER, { recursive: true });
  const path = join(FOLDER, 'adapter.f32');
  writeFileSync(path, Buffer.concat(pairs.map(({ a }) => Buffer.from(a.buffer, a.byteOffset, a.byteLength))));
  return { path, weights: pairs.map(({ weight, rank, columns }) => ({ weight, rank, columns })) };
}

const { engine, dataset, build, bytes, host } = await prepare();
const { settings } = dataset;
const [training, validation] = [dataset.training, dataset.validation] as [TokenizedExample[], TokenizedExample[]];
const say = (text: string) => void (args.json || process.stdout.write(`${text}\n`));
const tokens = (all: readonly TokenizedExample[]) => all.reduce((sum, { ids }) => sum + ids.length - 1, 0);
const learnt = (all: readonly TokenizedExample[]) => all.reduce((sum, one) => sum + one.lossMask.reduce((a, b) => a + b, 0), 0);
say(`${training.length} examples, ${learnt(training)} of ${tokens(training)} tokens learnt; ${validation.length} to validate, ` +
  `${tokens(validation)} tokens; ${settings.batch} x ${settings.context} rows a step (${settings.microBatch} at a time), ` +
  `${settings.steps} steps, evaluated every ${settings.evaluateEvery}; ${build}${args.fused ? ', fused' : ''}, ${threads} threads`);

const peft = args.python === '' ? undefined : new Peft(args.python);
const { rank, alpha } = settings.lora!;
const { weightDecay, beta1, beta2, epsilon, maxGradNorm } = settings;
await peft?.ask({ model: args.model, threads, rank, alpha, adapter: writeAdapter(engine), weightDecay, beta1, beta2, epsilon, maxGradNorm });

const ours = { steps: [] as number[], evaluations: [] as number[], losses: [] as number[] };
const theirs = { steps: [] as number[], evaluations: [] as number[], losses: [] as number[] };
let latest: Row[] = [];
let stepped: Extract<LoopEvent, { kind: 'step' }> | undefined;
let evaluating = false;

const stream = new PackedStream(training, engine.options, settings.seed);
const batches = {
  next(): Batch {
    const batch = stream.next();
    latest.push(...rowsIn(batch));
    return batch;
  },
};

async function evaluate() {
  evaluating = true;
  await theirStep();
  const begun = performance.now();
  const found = await evaluateBatches(engine, packedBatchesOf(validation, engine.options), bytes, host.yield);
  ours.evaluations.push((performance.now() - begun) / 1000);
  ours.losses.push(found.loss);
  const other = await peft?.ask({ evaluate: validation.map(rowOf), size: settings.batch });
  if (other) theirs.evaluations.push(other.seconds);
  if (other) theirs.losses.push(other.loss);
  say(`evaluation: loss ${found.loss.toFixed(4)}, ${ours.evaluations.at(-1)!.toFixed(2)} s` +
    (other ? `; PEFT ${other.loss.toFixed(4)}, ${other.seconds.toFixed(2)} s` : ''));
  evaluating = false;
  return found;
}

/** The step that we have just taken, by PEFT. */
async function theirStep(): Promise<void> {
  if (!stepped) return;
  const { step, loss, seconds, learningRate } = stepped;
  stepped = undefined;
  ours.steps.push(seconds);
  const rows = latest;
  latest = [];
  const found = await peft?.ask({ step: rows, learningRate });
  if (found) theirs.steps.push(found.seconds);
  say(`step ${step}: ${rows.length} examples, ${rows.reduce((sum, { ids }) => sum + ids.length, 0)} tokens; ` +
    `loss ${loss.toFixed(4)}, ${seconds.toFixed(2)} s` + (found ? `; PEFT ${found.loss.toFixed(4)}, ${found.seconds.toFixed(2)} s` : ''));
}

const stop = new AbortController();
const asked = Number(args.steps);
const onEvent = (event: LoopEvent): void => {
  if (event.kind !== 'step') return;
  stepped = event;
  if (event.step === asked) stop.abort();
};
const pause = async () => void (evaluating || (await theirStep()));
const loop = { ...loopSettings(settings, settings.steps + 1), evaluateEvery: Math.min(settings.evaluateEvery, asked || Infinity) };
try {
  await runLoop({ engine, objective: engine, batches, evaluate, onEvent, signal: stop.signal, yield: pause }, loop, newState({ epoch: 0, document: 0, pair: 0 }));
} catch (error) {
  if ((error as { code?: string }).code !== 'aborted') throw error;
  await evaluate();
}
peft?.stop();
engine.dispose();

const share = (side: typeof ours): number => {
  const count = Math.ceil(settings.steps / settings.evaluateEvery) + 1;
  const [steps, evaluations] = [settings.steps * median(side.steps), count * median(side.evaluations)];
  return evaluations / (steps + evaluations);
};
const result = {
  step: median(ours.steps), evaluation: median(ours.evaluations), evaluationShare: share(ours), validation: ours.losses.at(-1),
  before: ours.losses[0],
  ...(peft && { peft: { step: median(theirs.steps), evaluation: median(theirs.evaluations), validation: theirs.losses.at(-1), before: theirs.losses[0] },
    speed: median(theirs.steps) / median(ours.steps) }),
};
if (args.json) process.stdout.write(`${JSON.stringify(result)}\n`);
say(`\na step ${result.step.toFixed(2)} s, an evaluation ${result.evaluation.toFixed(2)} s (${(100 * result.evaluationShare).toFixed(1)} % of the time of a run), ` +
  `validation loss ${result.before!.toFixed(4)} to ${result.validation!.toFixed(4)}`);
if (result.peft) {
  say(`PEFT: a step ${result.peft.step.toFixed(2)} s, an evaluation ${result.peft.evaluation.toFixed(2)} s, ` +
    `validation loss ${result.peft.before!.toFixed(4)} to ${result.peft.validation!.toFixed(4)}; ours is ${result.speed!.toFixed(2)} times as fast`);
}
