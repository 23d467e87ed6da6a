// What every entry of `stonechat/train` exports, bound to its host.
import { abortSignal, callback, checkRules, flag, isText, number, oneOf, type Rule, whole } from '../generate/rules.js';
import { compileTrainKernels } from '../host/compile-train.js';
import { compileCode } from '../host/compile.js';
import type { Build, Host, HostSettings } from '../host/host.js';
import { BUILDS } from '../kernels/instance.js';
import { compare, type CompareOptions as ComparisonOptions, type Comparison } from '../train/compare.js';
import { type ModelConfig, TRAINED_ARCHITECTURES } from '../train/config.js';
import type { Corpus } from '../train/corpus.js';
import type { TrainHost } from '../train/engine.js';
import type { TrainResult } from '../train/result.js';
import { train, type TrainOptions as LoopOptions } from '../train/train.js';
import { chooseBuild, MOST_THREADS } from './load.js';

export { StonechatError, type ErrorCode, type ErrorDetails } from '../errors.js';
export type { ComparedModel, CompareEvent, Comparison } from '../train/compare.js';
export type { ModelConfig } from '../train/config.js';
export type { Corpus } from '../train/corpus.js';
export type { Evaluation } from '../train/evaluation.js';
export type { History, LoopEvent, StepEvent } from '../train/loop.js';
export type { TrainResult } from '../train/result.js';
export type { LearningSettings } from '../train/settings.js';
export type { StartEvent, TrainEvent } from '../train/train.js';

/** What a page or an edge function may bring itself. */
interface HostOptions {
  /** As for `load`: where a page must serve the worker itself. */
  readonly workerUrl?: string | URL | undefined;
  /** As for `load`: the kernels of generation, and those of training, where they may not be embedded. */
  readonly kernels?: HostSettings['kernels'];
  readonly trainKernels?: HostSettings['kernels'];
}

export interface TrainOptions extends LoopOptions, HostOptions {}
export interface CompareOptions extends ComparisonOptions, HostOptions {}

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
const share = (otherwise: number | string): Rule => ({ ...number(0, 1, otherwise), expected: 'a number from 0 up to, not including, 1', accepts: (value) => typeof value === 'number' && value >= 0 && value < 1 });
const positive = (otherwise: string): Rule => ({ expected: 'a number above 0', accepts: (value) => typeof value === 'number' && value > 0 && value < Infinity, otherwise });
const fromSize = 'one that suits the corpus';

export const CONFIG_RULES: Readonly<Record<keyof ModelConfig, Rule>> = {
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
};

const object = (expected: string): Rule => ({ expected, accepts: (value) => typeof value === 'object' && value !== null, otherwise: 'none' });
const source: Rule = { expected: 'a path, URL, File or bytes', accepts: (value) => isText(value) || object('').accepts(value), otherwise: 'none' };
const text: Rule = { expected: 'a text', accepts: (value) => typeof value === 'string', otherwise: 'the usual one' };

const RULES: Readonly<Record<keyof TrainOptions, Rule>> = {
  config: object('an object of sizes'),
  vocabulary: whole(257, 1 << 22, fromSize),
  steps: whole(1, 1e9, fromSize),
  epochs: positive(fromSize),
  batch: whole(1, 1 << 16, fromSize),
  microBatch: whole(1, 1 << 16, 'as many sequences as are worth it'),
  learningRate: positive(fromSize),
  finalRate: { ...positive('a tenth of learningRate'), expected: 'a number from 0', accepts: (value) => typeof value === 'number' && value >= 0 && value < Infinity },
  warmup: whole(0, 1e9, 'a twentieth of the steps, 200 at most'),
  beta1: share(0.9),
  beta2: share(0.99),
  epsilon: positive('1e-8'),
  weightDecay: number(0, 1e3, 0.1),
  clip: positive('1'),
  dropout: share('0.1 where the corpus is seen more than four times, else 0'),
  seed: whole(0, 2 ** 32 - 1, 0),
  fusedMultiplyAdd: flag(false),
  validationShare: share(0.05),
  evaluateEvery: whole(1, 1e9, 'about 40 evaluations in all'),
  evaluationTokens: whole(1, 1e12, 32768),
  sampleEvery: whole(0, 1e9, 'with every fourth evaluation'),
  samplePrompt: text,
  sampleTokens: whole(1, 1 << 20, 96),
  keep: oneOf('best', 'last'),
  separator: { ...text, otherwise: '"<|endoftext|>"' },
  name: { ...text, accepts: isText },
  tokenizer: { ...source, otherwise: 'one learnt from the corpus' },
  validation: { expected: 'a text, or texts one by one', accepts: (value) => typeof value === 'string' || object('').accepts(value), otherwise: 'a share of the corpus' },
  threads: whole(1, MOST_THREADS, 'one per processor'),
  build: { ...oneOf(...BUILDS), otherwise: 'the fastest one' },
  output: { expected: 'a path', accepts: isText, otherwise: 'the bytes of the result' },
  checkpoint: { expected: 'a path or a function', accepts: (value) => isText(value) || callback.accepts(value), otherwise: 'none' },
  checkpointEvery: whole(1, 1e9, 'evaluateEvery'),
  resume: source,
  signal: abortSignal,
  onEvent: callback,
  workerUrl: { expected: 'an address', accepts: (value) => isText(value) || value instanceof URL, otherwise: 'the embedded worker' },
  kernels: callback,
  trainKernels: callback,
};

const { steps, seed, vocabulary, validation, separator, samplePrompt, sampleTokens, threads, build, signal, onEvent, workerUrl, kernels, trainKernels } = RULES;
const COMPARE_RULES: Readonly<Record<keyof CompareOptions, Rule>> = {
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
export function checkTrainOptions(options: TrainOptions): void {
  checkRules('train()', options, RULES);
  if (options.config) checkRules('the model configuration', options.config, CONFIG_RULES);
}

/** A host together with its training kernels. */
export function trainHostOf(host: Host, { kernels, trainKernels, workerUrl }: Pick<TrainOptions, 'kernels' | 'trainKernels' | 'workerUrl'>): TrainHost {
  const settings: HostSettings = { ...(kernels && { kernels }), ...(workerUrl && { workerUrl }) };
  const compileTraining = (build: Build, shared: boolean) => (trainKernels ? compileCode(trainKernels, build, shared) : compileTrainKernels(build, shared));
  return { host: host.configure(settings), compileTraining };
}

/** Threads pay from the smallest models on: a step is large. */
export const trainThreads = ({ canThread, processors }: Host, asked: number | undefined): number => (canThread ? (asked ?? Math.min(processors, DEFAULT_MOST_THREADS)) : 1);

export function createTrainer(host: Host): Trainer {
  return {
    async train(corpus, options = {}) {
      checkTrainOptions(options);
      return train(trainHostOf(host, options), corpus, { ...options, build: chooseBuild(host, options.build), threads: trainThreads(host, options.threads) });
    },
    async compare(corpus, options = {}) {
      checkCompareOptions(options);
      return compare(trainHostOf(host, options), corpus, { ...options, build: chooseBuild(host, options.build), threads: trainThreads(host, options.threads) });
    },
  };
}
