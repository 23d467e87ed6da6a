import { badOption } from '../../files/refuse.js';
import { clamp, MOST_ROWS, partsOf } from '../loop/batch-size.js';
import { autoConfig, autoVocabulary, checkConfig, type ModelConfig } from './config.js';
import { END_OF_TEXT } from '../data/corpus.js';
import type { LoopSettings } from '../loop/loop.js';
import { type OptimizerOptions, optimizerOf, type OptimizerSettings, settleOptimizer } from '../loop/optimizer.js';

/** What decides the bits of a model, beside its corpus: every one may be left out. */
export interface LearningOptions extends OptimizerOptions {
  /** Sizes and style of the model; what is left out follows from the size of the corpus. */
  readonly config?: Partial<ModelConfig> | undefined;
  /** Tokens of the vocabulary to be learnt. */
  readonly vocabulary?: number | undefined;
  /** In place of `steps`: how often to go through the corpus. */
  readonly epochs?: number | undefined;
  /** Sequences (of `context` tokens) of one step, and how many of them to compute at a time. */
  readonly batch?: number | undefined;
  readonly microBatch?: number | undefined;
  /** Share of the branches' elements that is zeroed. */
  readonly dropout?: number | undefined;
  readonly seed?: number | undefined;
  /** One rounding per multiply-add where build (relaxed) and machine can: faster, and no longer the same bits everywhere. */
  readonly fusedMultiplyAdd?: boolean | undefined;
  /** Share of the documents that is kept back to validate with, where there is no text of its own for that. */
  readonly validationShare?: number | undefined;
  /** Steps from one evaluation to the next, and tokens of each. */
  readonly evaluateEvery?: number | undefined;
  readonly evaluationTokens?: number | undefined;
  /** Steps from one sample to the next (0: none), what it begins with, and its tokens. */
  readonly sampleEvery?: number | undefined;
  readonly samplePrompt?: string | undefined;
  readonly sampleTokens?: number | undefined;
  /** Which weights become the model: those with the lowest validation loss, or the last. */
  readonly keepWeights?: 'best' | 'last' | undefined;
  /** What stands between documents. */
  readonly separator?: string | undefined;
  /** `general.name` of the model. */
  readonly name?: string | undefined;
}

/** All of them decided. */
export type LearningSettings = { readonly [Name in Exclude<keyof LearningOptions, 'config' | 'vocabulary' | 'epochs' | 'fusedMultiplyAdd'>]-?: Exclude<LearningOptions[Name], undefined> } & { readonly config: ModelConfig; readonly fusedMultiplyAdd?: true };

/** A batch should not be a large part of the corpus. */
const LEAST_BATCHES = 8;
const EVALUATIONS = 40;

/** Times through the corpus: a small one must be seen often, and is learnt by heart sooner. */
const EPOCHS = [[50_000, 20], [200_000, 10], [1_000_000, 6], [5_000_000, 4], [20_000_000, 2], [Infinity, 1]] as const;
const OFTEN = 4;

/** The vocabulary to learn for a corpus of so many bytes. */
export function vocabularyFor(bytes: number, { vocabulary, config }: LearningOptions): number {
  const configured = config?.vocabulary;
  if (vocabulary !== undefined && configured !== undefined && vocabulary !== configured) {
    throw badOption('one size of the vocabulary', `${vocabulary} by option and ${configured} in the configuration`, 'Leave one of them out.');
  }
  return vocabulary ?? configured ?? autoVocabulary(bytes);
}

/** Decides what the options leave open, for a corpus of `tokens` and a tokenizer of `vocabulary` ids. @throws StonechatError `bad-option`. */
export function settle(options: LearningOptions, tokens: number, vocabulary: number): LearningSettings {
  const config = autoConfig(tokens, { ...defined(options.config ?? {}), vocabulary });
  checkConfig(config);
  const { batch, microBatch } = batchOf(options, config.context, tokens);
  if (options.steps !== undefined && options.epochs !== undefined) throw badOption('either steps or epochs', 'both', 'Leave one out.');
  const usual = EPOCHS.find(([most]) => tokens <= most)![1];
  const stepsOfEpoch = tokens / (batch * config.context);
  const steps = options.steps ?? Math.max(1, Math.ceil(stepsOfEpoch * (options.epochs ?? usual)));
  const learningRate = options.learningRate ?? (config.architecture === 'nplm' ? NPLM_RATE : rateFor(config.embedding));
  const evaluateEvery = options.evaluateEvery ?? clamp(Math.ceil(steps / EVALUATIONS), Math.min(25, steps), steps);
  return {
    config, batch, microBatch, evaluateEvery,
    ...settleOptimizer(options, { steps, learningRate, weightDecay: 0.1, mostWarmup: 200 }),
    dropout: options.dropout ?? (steps / stepsOfEpoch > OFTEN ? 0.1 : 0),
    seed: options.seed ?? 0,
    validationShare: options.validationShare ?? VALIDATION_SHARE,
    evaluationTokens: options.evaluationTokens ?? 16 * MOST_ROWS,
    sampleEvery: options.sampleEvery ?? evaluateEvery * 4,
    samplePrompt: options.samplePrompt ?? '',
    sampleTokens: options.sampleTokens ?? 96,
    keepWeights: options.keepWeights ?? 'best',
    separator: options.separator ?? END_OF_TEXT,
    name: options.name ?? 'a model by stonechat',
    ...(options.fusedMultiplyAdd && { fusedMultiplyAdd: true as const }),
  };
}

export const VALIDATION_SHARE = 0.05;

/** A shallow network takes larger ones: on tiny Shakespeare, 150 steps: perplexity 46 with this, 49 with 0.01, 79 with 0.003. */
const NPLM_RATE = 0.02;

/** Larger models want smaller steps: 0.003 for 64 columns, 0.0015 for 256. */
const rateFor = (embedding: number): number => Math.round((0.024 / Math.sqrt(embedding)) * 1e5) / 1e5;

function batchOf(options: LearningOptions, context: number, tokens: number): { batch: number; microBatch: number } {
  const room = Math.floor(tokens / (context * LEAST_BATCHES));
  const batch = options.batch ?? clamp(Math.min(Math.floor(MOST_ROWS / context), room), 1, 64);
  return partsOf(batch, context, options.microBatch);
}

export const defined = <T extends object>(options: T): T => Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;

type Looped = Pick<LearningSettings, keyof OptimizerSettings | 'batch' | 'microBatch' | 'seed' | 'evaluateEvery'> & { readonly sampleEvery?: number };

export const loopSettings = (settings: Looped, checkpointEvery: number): LoopSettings => ({
  optimizer: optimizerOf(settings),
  accumulation: settings.batch / settings.microBatch,
  seed: settings.seed,
  evaluateEvery: settings.evaluateEvery,
  sampleEvery: settings.sampleEvery ?? 0,
  checkpointEvery,
});
