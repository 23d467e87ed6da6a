import { StonechatError } from '../errors.js';
import { logitBias } from './bias.js';
import type { Candidates } from './candidates.js';
import { draw } from './draw.js';
import { minP } from './min-p.js';
import { penalties } from './penalties.js';
import type { Xorshift64Star } from './random.js';
import { COLDEST, greedy, temperature } from './temperature.js';
import { topK } from './top-k.js';
import { topP } from './top-p.js';
import type { History, Sampler } from './types.js';
import { typicalP } from './typical.js';

export { greedy, logitBias, minP, penalties, temperature, topK, topP, typicalP };
export type { Penalties } from './penalties.js';
export type { Candidates, History, Sampler };

/** Checked and complete; see GenerateOptions for the meaning of each. */
export interface SamplingOptions {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly typicalP: number;
  readonly repetitionPenalty: number;
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  readonly penaltyWindow: number;
  readonly logitBias: ReadonlyMap<number, number>;
  /** The caller's own list, in place of all of the above. */
  readonly samplers: readonly Sampler[] | undefined;
}

/**
 * The samplers that the options ask for, in the order they run:
 * bias, penalties, top-k, temperature, typical-p, top-p, min-p.
 * llama.cpp has the temperature last. Here it comes before the cuts that look at probabilities, as in llama2.c,
 * Hugging Face transformers and the OpenAI API, so that `topP` means the same text as there.
 */
export function samplerChain(options: SamplingOptions): Sampler[] {
  if (options.samplers) return [...options.samplers];
  const { repetitionPenalty, presencePenalty, frequencyPenalty, penaltyWindow } = options;
  const chain: Sampler[] = [];
  if (options.logitBias.size > 0) chain.push(logitBias(options.logitBias));
  if (penaltyWindow !== 0 && (repetitionPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0)) {
    chain.push(penalties({ repetition: repetitionPenalty, presence: presencePenalty, frequency: frequencyPenalty, window: penaltyWindow }));
  }
  if (options.temperature < COLDEST) return [...chain, greedy];
  if (options.topK > 0) chain.push(topK(options.topK));
  if (options.temperature !== 1) chain.push(temperature(options.temperature));
  if (options.typicalP < 1) chain.push(typicalP(options.typicalP));
  if (options.topP < 1) chain.push(topP(options.topP));
  if (options.minP > 0) chain.push(minP(options.minP));
  return chain;
}

/** Logits (f32, at an address) to the next id. */
export type Picker = (logitsAddress: number, history: History) => number;

/** Runs the chain over all ids, then draws one number from `random` and with it the id. */
export function buildSampler(options: SamplingOptions, candidates: Candidates, random: Xorshift64Star): Picker {
  const chain = samplerChain(options);
  if (chain.length === 1 && chain[0] === greedy) return (logitsAddress) => candidates.largest(logitsAddress);
  return (logitsAddress, history) => {
    candidates.fill(logitsAddress);
    for (const sampler of chain) sampler(candidates, history);
    const at = draw(candidates, random);
    if (candidates.size > 0 && candidates.logits[at]! > -Infinity) return candidates.ids[at]!;
    throw new StonechatError({
      code: 'bad-option',
      expected: 'at least one token that may come next',
      found: 'none: logitBias or the samplers forbid all of them',
      remedy: 'Allow more tokens.',
    });
  };
}
