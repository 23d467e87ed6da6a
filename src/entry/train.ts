// What every entry of `stonechat/train` exports, bound to its host.
import { checkRules, flag, isText, number, oneOf, type Rule, whole } from '../generate/rules.js';
import { compileTrainKernels } from '../host/compile-train.js';
import { compileCode } from '../host/compile.js';
import type { Build, Host, HostSettings } from '../host/host.js';
import { compare, type CompareOptions as ComparisonOptions, type Comparison } from '../train/pretraining/compare.js';
import { type ModelConfig, TRAINED_ARCHITECTURES } from '../train/pretraining/config.js';
import type { Corpus } from '../train/data/corpus.js';
import type { TrainHost } from '../train/loop/engine.js';
import type { TrainResult } from '../train/pretraining/result.js';
import { train, type TrainOptions as LoopOptions } from '../train/pretraining/train.js';
import { byNewNames, type FormerNames } from './former.js';
import { chooseBuild } from './load.js';
import { checkRun } from './outputs.js';
import { type HostOptions, LEARNING_RULES, object, positive, type Rules, share, source } from './rules.js';

export { StonechatError, type ErrorCode, type ErrorDetails } from '../errors.js';
export type { ComparedModel, CompareEvent, Comparison } from '../train/pretraining/compare.js';
export type { ModelConfig } from '../train/pretraining/config.js';
export type { Corpus } from '../train/data/corpus.js';
export type { Evaluation } from '../train/loop/evaluation.js';
export type { History, LossHistory, LoopEvent, StepEvent } from '../train/loop/loop.js';
export type { TrainResult } from '../train/pretraining/result.js';
export type { LearningSettings } from '../train/pretraining/settings.js';
export type { StartEvent, TrainEvent } from '../train/pretraining/train.js';

/** Options of `train`. */
export interface TrainOptions extends LoopOptions, HostOptions, FormerNames {}
type Options = Omit<TrainOptions, keyof FormerNames>;
/** Options of `compare`. */
export interface CompareOptions extends ComparisonOptions, HostOptions {}

/** What trains. */
export interface Trainer {
  /**
   * Trains a model on a text, or on documents one by one. Everything has a default that suits the size of the corpus.
   * @throws StonechatError `bad-option`, `not-found`, `bad-file`, `out-of-memory`, `unavailable` before anything is learnt;
   * `diverged`, `aborted` after a checkpoint.
   */
  train(corpus: Corpus, options?: TrainOptions): Promise<TrainResult>;
  /**
   * An n-gram model, a feed-forward network and a transformer, all small, on the same text with the same learnt tokenizer.
   * @throws StonechatError as `train`.
   */
  compare(corpus: Corpus, options?: CompareOptions): Promise<Comparison>;
}

const DEFAULT_MOST_THREADS = 8;
const MOST = 1 << 24;
const fromSize = 'one that suits the corpus';

export const CONFIG_RULES: Rules<ModelConfig> = {
  architecture: oneOf(...TRAINED_ARCHITECTURES),
  embedding: whole(2, 1 << 16, fromSize),
  layers: whole(1, 1024, fromSize),
  heads: whole(1, 4096, fromSize),
  kvHeads: whole(1, 4096, fromSize),
  feedForward: whole(1, MOST, '8/3 of the embedding (gpt2: 4 times)'),
  context: whole(1, MOST, fromSize),
  vocabulary: whole(257, 1 << 22, fromSize),
  tied: flag(true),
  positions: oneOf('learned', 'sinusoidal'),
  ropeBase: positive('10000'),
  window: whole(1, 1024, '5'),
  padding: whole(0, 1 << 22, 'BOS'),
  direct: flag(false),
};

const text: Rule = { expected: 'a text', accepts: (value) => typeof value === 'string', otherwise: 'the usual one' };

const RULES: Rules<Options> = {
  ...LEARNING_RULES,
  config: object('an object of sizes'),
  vocabulary: whole(257, 1 << 22, fromSize),
  steps: whole(1, 1e9, fromSize),
  epochs: positive(fromSize),
  batch: whole(1, 1 << 16, fromSize),
  learningRate: positive(fromSize),
  warmup: whole(0, 1e9, 'a twentieth of the steps, 200 at most'),
  weightDecay: number(0, 1e3, 0.1),
  dropout: share('0.1 where the corpus is seen more than four times, else 0'),
  fusedMultiplyAdd: flag(false),
  validationShare: share(0.05),
  evaluateEvery: whole(1, 1e9, 'about 40 evaluations in all'),
  evaluationTokens: whole(1, 1e12, 32768),
  sampleEvery: whole(0, 1e9, 'with every fourth evaluation'),
  samplePrompt: text,
  sampleTokens: whole(1, 1 << 20, 96),
  separator: { ...text, otherwise: '"<|endoftext|>"' },
  name: { ...text, accepts: isText },
  tokenizer: source('one learnt from the corpus'),
  force: flag(false),
  validation: { expected: 'a text, or texts one by one', accepts: (value) => typeof value === 'string' || object('').accepts(value), otherwise: 'a share of the corpus' },
};

const { steps, seed, vocabulary, validation, separator, samplePrompt, sampleTokens, threads, build, signal, onEvent, workerUrl, kernels, trainKernels } = RULES;
const COMPARE_RULES: Rules<CompareOptions> = {
  steps, seed, vocabulary, validation, separator, samplePrompt, sampleTokens, threads, build, signal, onEvent, workerUrl, kernels, trainKernels,
  seconds: positive('60'),
  order: whole(1, 16, 5),
  network: object('an object of sizes'),
  transformer: object('an object of sizes'),
};

/** @throws StonechatError `bad-option` */
export function checkCompareOptions(options: CompareOptions): void {
  checkRules('compare()', options, COMPARE_RULES);
  for (const config of [options.network, options.transformer]) if (config) checkRules('the model configuration', config, CONFIG_RULES);
}

/** @throws StonechatError `bad-option` */
export function checkTrainOptions(options: Options): void {
  checkRules('train()', options, RULES);
  if (options.config) checkRules('the model configuration', options.config, CONFIG_RULES);
}

/** A host together with its training kernels. */
export function trainHostOf(host: Host, { kernels, trainKernels, workerUrl }: Pick<TrainOptions, 'kernels' | 'trainKernels' | 'workerUrl'>): TrainHost {
  const settings: HostSettings = { ...(kernels && { kernels }), ...(workerUrl && { workerUrl }) };
  const compileTraining = (build: Build, shared: boolean) => (trainKernels ? compileCode(build, () => trainKernels(build, shared)) : compileTrainKernels(build, shared));
  return { host: host.configure(settings), compileTraining };
}

/** Threads pay from the smallest models on: a step is large. */
export const trainThreads = ({ canThread, processors }: Host, asked: number | undefined): number => (canThread ? (asked ?? Math.min(processors, DEFAULT_MOST_THREADS)) : 1);

export function createTrainer(host: Host): Trainer {
  return {
    async train(corpus, given = {}) {
      const options = byNewNames(given);
      checkTrainOptions(options);
      await checkRun(host, options, [options.tokenizer]);
      return train(trainHostOf(host, options), corpus, { ...options, checkSettings: checkTrainOptions, build: chooseBuild(host, options.build), threads: trainThreads(host, options.threads) });
    },
    async compare(corpus, options = {}) {
      checkCompareOptions(options);
      return compare(trainHostOf(host, options), corpus, { ...options, build: chooseBuild(host, options.build), threads: trainThreads(host, options.threads) });
    },
  };
}
