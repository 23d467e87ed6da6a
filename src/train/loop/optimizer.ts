import { clamp } from './batch-size.js';
import { cosine } from './math.js';
import type { UpdateSettings } from './engine.js';

export interface OptimizerSettings {
  /** Highest learning rate, and what is left of it at the end. */
  readonly learningRate: number;
  readonly finalRate: number;
  /** Steps in which the rate rises from 0, and steps in all. */
  readonly warmup: number;
  readonly steps: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Gradients whose norm is larger are shortened to it. */
  readonly maxGradNorm: number;
}

/** Each may be left out. */
export type OptimizerOptions = { readonly [Name in keyof OptimizerSettings]?: OptimizerSettings[Name] | undefined };

/** What training and fine-tuning decide differently. */
type Usual = Pick<OptimizerSettings, 'steps' | 'learningRate' | 'weightDecay'> & { readonly mostWarmup: number };

export const settleOptimizer = (options: OptimizerOptions, { steps, learningRate, weightDecay, mostWarmup }: Usual): OptimizerSettings => ({
  steps,
  learningRate,
  finalRate: options.finalRate ?? learningRate / 10,
  warmup: options.warmup ?? clamp(Math.ceil(steps / 20), 1, mostWarmup),
  beta1: options.beta1 ?? 0.9,
  beta2: options.beta2 ?? 0.99,
  epsilon: options.epsilon ?? 1e-8,
  weightDecay: options.weightDecay ?? weightDecay,
  maxGradNorm: options.maxGradNorm ?? 1,
});

export const optimizerOf = ({ learningRate, finalRate, warmup, steps, beta1, beta2, epsilon, weightDecay, maxGradNorm }: OptimizerSettings): OptimizerSettings => ({
  learningRate, finalRate, warmup, steps, beta1, beta2, epsilon, weightDecay, maxGradNorm,
});

/** A straight rise, then half a cosine down. `step` counts from 1. */
export function rateAt(step: number, { learningRate, finalRate, warmup, steps }: OptimizerSettings): number {
  if (step <= warmup) return (learningRate * step) / warmup;
  const done = Math.min(1, (step - warmup) / Math.max(1, steps - warmup));
  return finalRate + (learningRate - finalRate) * 0.5 * (1 + cosine(Math.PI * done));
}

/** base^exponent by squaring: the same bits however one comes to a step. */
function power(base: number, exponent: number): number {
  let result = 1;
  for (let square = base, left = exponent; left > 0; left = Math.floor(left / 2), square *= square) if (left % 2 === 1) result *= square;
  return result;
}

/** Keeps the division by the norm finite: as PyTorch's clip_grad_norm_. */
const NORM_EPSILON = 1e-6;

/** `norm` is that of the mean gradient; `scale` turns gathered gradients into the mean. */
export function updateAt(step: number, norm: number, scale: number, settings: OptimizerSettings): UpdateSettings {
  const { beta1, beta2, epsilon, weightDecay, maxGradNorm } = settings;
  return {
    learningRate: rateAt(step, settings),
    beta1,
    beta2,
    epsilon,
    weightDecay,
    correction1: 1 - power(beta1, step),
    correction2: 1 - power(beta2, step),
    gradientScale: scale * Math.min(1, maxGradNorm / (norm + NORM_EPSILON)),
  };
}
