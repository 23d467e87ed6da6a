// Fine-tuning and merging, bound to a host: what every entry of `stonechat/train` exports beside train().
import { openAdapter, type ScaledAdapter } from '../files/adapter.js';
import { collect } from '../files/chunks.js';
import { writeGguf } from '../files/gguf-writer.js';
import { type ModelInput, openModel } from '../files/index.js';
import type { DType, ModelFile } from '../files/types.js';
import type { LoraSource } from '../generate/types.js';
import { abortSignal, callback, checkRules, flag, isText, number, oneOf, refuse, type Rule, whole } from '../generate/rules.js';
import type { Host } from '../host/host.js';
import { instantiateTrainKernels } from '../kernels/instance.js';
import { finetune, type FinetuneOptions as LoopOptions, type TuningResult } from '../train/tuning/finetune.js';
import { mergeAdapters } from '../train/convert/merge.js';
import { type Fallback, QUANTISATIONS, type Quantisation } from '../train/convert/quantize.js';
import type { TuningExamples } from '../train/tuning/dataset.js';
import { byNewNames, type FormerTuningNames } from './former.js';
import { chooseBuild, isLimits } from './load.js';
import { checkPlaces, checkRun } from './outputs.js';
import { HOST_RULES, type HostOptions, LEARNING_RULES, object, path, positive, type Rules, share } from './rules.js';
import { trainHostOf, trainThreads } from './train.js';
import { untilAborted } from './write.js';

export type { PreferenceExample, TuningExample, TuningMessage } from '../train/data/examples.js';
export type { TuningEvent, TuningResult, TuningStart } from '../train/tuning/finetune.js';
export type { TuningExamples } from '../train/tuning/dataset.js';
export type { TuningOptions, TuningSettings } from '../train/tuning/settings.js';

/** Options of `finetune`. */
export interface FinetuneOptions extends LoopOptions, HostOptions, FormerTuningNames {}
type Options = Omit<FinetuneOptions, keyof FormerTuningNames>;

/** Options of `merge`. */
export interface MergeOptions extends HostOptions {
  readonly lora: readonly LoraSource[];
  /** Type of all matrices. Default: each keeps its own. */
  readonly type?: Quantisation | undefined;
  /** A path where the merged model is written; otherwise it comes back as bytes. */
  readonly output?: string | undefined;
  /** Bytes written so far and in all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Ends the work between two pieces; what was begun is removed. */
  readonly signal?: AbortSignal | undefined;
}

/** What `merge` made. */
export interface MergeResult {
  /** Where no `output` was named. */
  readonly bytes: Uint8Array<ArrayBuffer> | undefined;
  /** Weights that were quantised and are so again, by type: what was merged into them is rounded too. */
  readonly requantised: Readonly<Partial<Record<DType, number>>>;
  /** As of `convert`. */
  readonly fallbacks: readonly Fallback[];
}

/** What fine-tunes and merges. */
export interface Tuner {
  /**
   * Teaches a model by examples, or by preferences: all its weights, or an adapter beside them.
   * @throws StonechatError `bad-option`, `not-found`, `bad-file`, `out-of-memory` before anything is learnt; `diverged`, `aborted` after a checkpoint.
   */
  finetune(model: ModelInput, examples: TuningExamples, options?: FinetuneOptions): Promise<TuningResult>;
  /** Adds adapters into the weights of a model: a new GGUF file. @throws StonechatError `bad-option`, `bad-file`, `unsupported`, `not-found`. */
  merge(model: ModelInput, options: MergeOptions): Promise<MergeResult>;
}

const fromExamples = 'one that suits the examples';

const LORA_RULES: Readonly<Record<string, Rule>> = {
  rank: whole(1, 4096, 8),
  alpha: positive('twice the rank'),
  targets: { expected: 'a list of names', accepts: (value) => Array.isArray(value) && value.length > 0 && value.every(isText), otherwise: 'all linear layers' },
};
const DPO_RULES: Readonly<Record<string, Rule>> = { beta: positive('0.1') };
const switchable = (expected: string): Rule => ({ expected: `true, or ${expected}`, accepts: (value) => typeof value === 'boolean' || object('').accepts(value), otherwise: 'false' });

const RULES: Rules<Options> = {
  ...LEARNING_RULES,
  lora: switchable('{ rank, alpha, targets }'),
  dpo: switchable('{ beta }'),
  dequantize: flag(false),
  epochs: positive('3'),
  steps: whole(1, 1e9, 'three times through the examples'),
  batch: whole(1, 1 << 16, fromExamples),
  context: whole(2, 1 << 24, 'the longest example, 1024 at most'),
  longExamples: oneOf('skip', 'cut'),
  learningRate: positive('one that suits the model'),
  warmup: whole(0, 1e9, 'a twentieth of the steps, 100 at most'),
  weightDecay: number(0, 1e3, 0.01),
  dropout: share(0),
  fusedMultiplyAdd: flag(false),
  validationShare: share(0.1),
  validation: object('a list of examples'),
  evaluateEvery: whole(1, 1e9, 'about 20 evaluations in all, for a tenth of the time at most'),
  chatTemplate: { expected: 'a template in Jinja, or "chatml"', accepts: isText, otherwise: "the model's own, or Alpaca's headings" },
  templateLimits: { expected: '{ steps, output }, both whole numbers above 0', accepts: isLimits, otherwise: '2 million steps, 4 million characters' },
  contents: oneOf('text', 'special'),
  parseSpecial: flag(false),
  type: { ...oneOf(...QUANTISATIONS), otherwise: "the model's own" },
  name: { expected: 'a text', accepts: isText, otherwise: "the model's own" },
};

const MERGE_RULES: Rules<MergeOptions> = {
  lora: { expected: 'a list of { source, scale }', accepts: (value) => Array.isArray(value) && value.every((one) => object('').accepts(one) && 'source' in one), otherwise: 'none' },
  type: RULES.type,
  output: path('the bytes of the result'),
  onProgress: callback,
  signal: abortSignal,
  ...HOST_RULES,
};

/** @throws StonechatError `bad-option` */
export function checkFinetuneOptions(options: Options): void {
  checkRules('finetune()', options, RULES);
  if (typeof options.lora === 'object') checkRules('lora', options.lora, LORA_RULES);
  if (typeof options.dpo === 'object') checkRules('dpo', options.dpo, DPO_RULES);
}

export function createTuner(host: Host): Tuner {
  return {
    async finetune(model, examples, given = {}) {
      const options = byNewNames(given);
      checkFinetuneOptions(options);
      await checkRun(host, options, [model]);
      return finetune(trainHostOf(host, options), model, examples, { ...options, build: chooseBuild(host, options.build), threads: trainThreads(host, options.threads) });
    },
    async merge(model, options) {
      checkRules('merge()', options, MERGE_RULES);
      if (!options.lora) refuse('lora to be a list of { source, scale }', 'none', 'Write lora: [{ source }].');
      await checkPlaces(host, [options.output], [model, ...options.lora.map(({ source: from }) => from as ModelInput)]);
      return merge(host, model, options);
    },
  };
}

async function merge(plain: Host, model: ModelInput, options: MergeOptions): Promise<MergeResult> {
  const { host, compileTraining } = trainHostOf(plain, options);
  const build = host.builds[0]!;
  const kernels = instantiateTrainKernels(await host.compile(build, false), await compileTraining(build, false), build);
  const opened: ModelFile[] = [];
  const open = async (input: ModelInput) => {
    const file = await openModel(input, { open: host.open, list: host.list });
    opened.push(file);
    return file;
  };
  try {
    const base = await open(model);
    const adapters: ScaledAdapter[] = [];
    for (const { source: from, scale = 1 } of options.lora) adapters.push({ adapter: openAdapter(await open(from as ModelInput)), scale });
    const { content, requantised, fallbacks } = mergeAdapters(base, adapters, kernels, options);
    const pieces = untilAborted(writeGguf(content), options.signal);
    const bytes = options.output === undefined ? await collect(pieces) : undefined;
    if (options.output !== undefined) await host.save(options.output, pieces);
    return { bytes, requantised: Object.fromEntries(requantised), fallbacks };
  } finally {
    await Promise.all(opened.map((file) => file.close()));
  }
}
