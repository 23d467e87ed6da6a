// Rules of the options of `stonechat/train`, and those that training and fine-tuning have in common.
import { abortSignal, callback, isText, oneOf, type Rule, whole } from '../generate/rules.js';
import type { HostSettings, TrainKernelSource } from '../host/host.js';
import { BUILDS } from '../kernels/instance.js';
import type { OptimizerOptions } from '../train/loop/optimizer.js';
import type { TrainOptions } from '../train/pretraining/train.js';
import { MOST_THREADS } from './load.js';

/** What a page or an edge function may bring itself. */
export interface HostOptions {
  /** As for `load`: where a page must serve the worker itself. */
  readonly workerUrl?: string | URL | undefined;
  /** As for `load`: the kernels of generation, and those of training, where they may not be embedded. */
  readonly kernels?: HostSettings['kernels'];
  readonly trainKernels?: TrainKernelSource;
}

export type Rules<Options> = Readonly<Record<keyof Options, Rule>>;

export const share = (otherwise: number | string): Rule => ({ expected: 'a number from 0 up to, not including, 1', accepts: (value) => typeof value === 'number' && value >= 0 && value < 1, otherwise: String(otherwise) });
export const positive = (otherwise: string): Rule => ({ expected: 'a number above 0', accepts: (value) => typeof value === 'number' && value > 0 && value < Infinity, otherwise });
export const object = (expected: string): Rule => ({ expected, accepts: (value) => typeof value === 'object' && value !== null, otherwise: 'none' });
export const source = (otherwise: string): Rule => ({ expected: 'a path, URL, File or bytes', accepts: (value) => isText(value) || object('').accepts(value), otherwise });
export const path = (otherwise: string): Rule => ({ expected: 'a path', accepts: isText, otherwise });

export const HOST_RULES: Rules<HostOptions> = {
  workerUrl: { expected: 'an address', accepts: (value) => isText(value) || value instanceof URL, otherwise: 'the embedded worker' },
  kernels: callback,
  trainKernels: callback,
};

type Common = Pick<TrainOptions, Exclude<keyof OptimizerOptions, 'steps' | 'learningRate' | 'warmup' | 'weightDecay'>
  | 'microBatch' | 'seed' | 'keepWeights' | 'threads' | 'build' | 'output' | 'checkpoint' | 'checkpointEvery' | 'resume' | 'signal' | 'onEvent'>;

export const LEARNING_RULES: Rules<Common & HostOptions> = {
  microBatch: whole(1, 1 << 16, 'as many sequences as are worth it'),
  finalRate: { ...positive('a tenth of learningRate'), expected: 'a number from 0', accepts: (value) => typeof value === 'number' && value >= 0 && value < Infinity },
  beta1: share(0.9),
  beta2: share(0.99),
  epsilon: positive('1e-8'),
  maxGradNorm: positive('1'),
  seed: whole(0, 2 ** 32 - 1, 0),
  keepWeights: oneOf('best', 'last'),
  threads: whole(1, MOST_THREADS, 'one per processor'),
  build: { ...oneOf(...BUILDS), otherwise: 'the fastest one' },
  output: path('the bytes of the result'),
  checkpoint: { expected: 'a path or a function', accepts: (value) => isText(value) || callback.accepts(value), otherwise: 'none' },
  checkpointEvery: whole(1, 1e9, 'evaluateEvery'),
  resume: source('none'),
  signal: abortSignal,
  onEvent: callback,
  ...HOST_RULES,
};
