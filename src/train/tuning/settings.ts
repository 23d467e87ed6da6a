import { badOption } from '../../files/refuse.js';
import type { ModelFile } from '../../files/types.js';
import type { TemplateLimits } from '../../text/chat.js';
import { clamp, MOST_ROWS, partsOf } from '../loop/batch-size.js';
import { LORA_DEFAULTS, type LoraSettings } from './lora.js';
import { type OptimizerOptions, settleOptimizer } from '../loop/optimizer.js';
import type { Quantisation } from '../convert/quantize.js';

/** How a model is tuned: every one may be left out. */
export interface TuningOptions extends OptimizerOptions {
  /** Trains a low-rank adapter and leaves the model as it is (any weight type); else all weights are trained. */
  readonly lora?: boolean | Partial<LoraSettings> | undefined;
  /** Direct preference optimisation on pairs of answers. */
  readonly dpo?: boolean | { readonly beta?: number } | undefined;
  /** Lets all weights of a quantised model be trained: they become floats first. */
  readonly dequantize?: boolean | undefined;
  /** In place of `steps`: times through the examples. Default 3. */
  readonly epochs?: number | undefined;
  /** Sequences (with `dpo`: pairs) of one step, and how many to compute at a time. */
  readonly batch?: number | undefined;
  readonly microBatch?: number | undefined;
  /** Tokens of a sequence. Default: the longest example, 1,024 at most. */
  readonly context?: number | undefined;
  /** An example that is longer: left out and counted, or cut at its end. Texts are learnt in parts instead. */
  readonly longExamples?: 'skip' | 'cut' | undefined;
  /** Share of elements zeroed: of what goes into an adapter, or of the branches. */
  readonly dropout?: number | undefined;
  /** One rounding per multiply-add where build (relaxed) and machine can: faster, and no longer the same bits everywhere. */
  readonly fusedMultiplyAdd?: boolean | undefined;
  readonly seed?: number | undefined;
  /** Share of the examples kept back to validate with, where there are none of their own for that. */
  readonly validationShare?: number | undefined;
  readonly evaluateEvery?: number | undefined;
  readonly keepWeights?: 'best' | 'last' | undefined;
  /** A chat template (Jinja, or 'chatml') in place of the model's own. */
  readonly chatTemplate?: string | undefined;
  /** What the template may use up, as for `load`. */
  readonly templateLimits?: TemplateLimits | undefined;
  /** Special tokens spelt in the contents of messages: taken as text (default), or parsed. */
  readonly contents?: 'text' | 'special' | undefined;
  /** Special tokens spelt in texts (`{ text }`, prompts and completions) are parsed. Default false. */
  readonly parseSpecial?: boolean | undefined;
  /** Type of the tuned model's matrices. Default: as they were (quantised ones: f16). */
  readonly type?: Quantisation | undefined;
  readonly name?: string | undefined;
}

type Decided = keyof OptimizerOptions | 'batch' | 'microBatch' | 'context' | 'dropout' | 'seed' | 'evaluateEvery' | 'keepWeights' | 'longExamples';

/** What decides the bits of the result, beside model and examples. */
export type TuningSettings = { readonly [Name in Decided]-?: Exclude<TuningOptions[Name], undefined> } & {
  readonly lora: LoraSettings | undefined;
  /** Of preference optimisation. */
  readonly beta: number | undefined;
  /** Only where it was asked for. */
  readonly fusedMultiplyAdd?: true;
};

const DPO_BETA = 0.1;
const LONGEST = 1024;
const LEAST_STEPS_OF_EPOCH = 8;
const EVALUATIONS = 20;
const EVALUATION_SHARE = 0.1;
const EPOCHS = 3;

const roundUp = (value: number, to: number): number => Math.ceil(value / to) * to;

export function loraOf({ lora }: TuningOptions): LoraSettings | undefined {
  if (lora === undefined || lora === false) return undefined;
  const { rank = LORA_DEFAULTS.rank, alpha = 2 * rank, targets = LORA_DEFAULTS.targets } = lora === true ? {} : lora;
  return { rank, alpha, targets };
}

const numberIn = (file: ModelFile, key: string): number | undefined => {
  const value = file.metadata.get(`${String(file.metadata.get('general.architecture'))}.${key}`);
  return typeof value === 'number' ? value : undefined;
};

/** Rows of a sequence at most. @throws StonechatError `bad-option` where more is asked than the model has. */
export function longestIn(file: ModelFile, { context }: TuningOptions): number {
  const most = Math.min(numberIn(file, 'context_length') ?? LONGEST, numberIn(file, 'attention.sliding_window') || Infinity); // windows do not slide here
  if (context !== undefined && context > most) throw badOption(`a context of at most ${most} tokens, as the model has${numberIn(file, 'attention.sliding_window') === most ? ' in its sliding window' : ''}`, String(context), 'Leave it out for the longest example.');
  return context ?? Math.min(most, LONGEST);
}

/** What the examples take: rows of the longest, of all to learn from, of all to validate with. */
export interface ExampleRows {
  readonly longest: number;
  readonly training: number;
  readonly validation: number;
}

/** `count`: sequences or pairs of an epoch, given the rows of each. */
export function settleTuning(file: ModelFile, options: TuningOptions, rows: ExampleRows, count: (rows: number) => number): TuningSettings {
  const { dpo, steps: asked, epochs } = options;
  if (asked !== undefined && epochs !== undefined) throw badOption('either steps or epochs', 'both', 'Leave one out.');
  const lora = loraOf(options);
  const context = options.context ?? Math.min(longestIn(file, options), roundUp(rows.longest, 8));
  const all = count(context);
  const { batch, microBatch } = batchOf(options, dpo ? 2 * context : context, all);
  const steps = asked ?? Math.max(1, Math.ceil(((epochs ?? EPOCHS) * all) / batch));
  const learningRate = options.learningRate ?? rateFor(numberIn(file, 'embedding_length') ?? 256, lora !== undefined, Boolean(dpo));
  return {
    lora, batch, microBatch, context,
    ...settleOptimizer(options, { steps, learningRate, weightDecay: 0.01, mostWarmup: 100 }),
    beta: dpo ? ((dpo === true ? undefined : dpo.beta) ?? DPO_BETA) : undefined,
    dropout: options.dropout ?? 0,
    seed: options.seed ?? 0,
    evaluateEvery: options.evaluateEvery ?? evaluateEvery(steps, (rows.validation / ((rows.training * batch) / all)) * (lora ? 1 / 2 : 1 / 3)),
    keepWeights: options.keepWeights ?? 'best',
    longExamples: options.longExamples ?? 'skip',
    ...(options.fusedMultiplyAdd && { fusedMultiplyAdd: true as const }),
  };
}

/**
 * Evaluations take a tenth of the time at most, those before the first step and after the last included, but there is one for each
 * of these. `cost`: steps in whose time one is made; beside an adapter backward takes as long as forward, else twice as long.
 */
function evaluateEvery(steps: number, cost: number): number {
  const most = Math.floor((EVALUATION_SHARE * steps) / ((1 - EVALUATION_SHARE) * cost)) - 1;
  return Math.ceil(steps / clamp(most, 1, EVALUATIONS));
}

/**
 * An adapter takes the rate of training from nothing (0.001 for 576 columns), all weights a tenth of it, so that they do
 * not forget, and preferences a tenth of either: Rafailov et al. 2023 go far below the rate of the answers themselves.
 */
function rateFor(embedding: number, lora: boolean, dpo: boolean): number {
  const rate = (0.024 / Math.sqrt(embedding)) * (lora ? 1 : 0.1) * (dpo ? 0.1 : 1);
  return Number(rate.toPrecision(2));
}

function batchOf(options: TuningOptions, rows: number, all: number): { batch: number; microBatch: number } {
  const batch = options.batch ?? clamp(Math.min(Math.floor(MOST_ROWS / rows), Math.floor(all / LEAST_STEPS_OF_EPOCH)), 1, 64);
  return partsOf(batch, rows, options.microBatch);
}
