import { StonechatError } from '../errors.js';
import { logitBias } from './bias.js';
import { type Candidates, COLDEST } from './candidates.js';
import { draw } from './draw.js';
import { minP } from './min-p.js';
import { penalties } from './penalties.js';
import type { Xorshift64Star } from './random.js';
import { greedy, temperature } from './temperature.js';
import { topK } from './top-k.js';
import { topP } from './top-p.js';
import type { Constraint, History, MoreSamplers, Sampler } from './types.js';
import { typicalP } from './typical.js';

export { greedy, logitBias, minP, penalties, temperature, topK, topP, typicalP };
export type { Penalties } from './penalties.js';
export type { Candidates, Constraint, History, Sampler };

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
  /** The caller's own: see samplerChain for their place. */
  readonly samplers: readonly Sampler[] | undefined;
}

/**
 * The samplers that the options ask for, in the order they run: bias, penalties, DRY, the caller's own, top-n-sigma, top-k,
 * temperature, typical-p, top-p, min-p, XTC, mirostat. It is llama.cpp's order but for the temperature, which is last there:
 * here it comes before the cuts that look at probabilities, as in llama2.c, Hugging Face transformers and the OpenAI API,
 * so that `topP` means the same text as there. The caller's own stand where those of transformers do.
 */
export function samplerChain(options: SamplingOptions, more: MoreSamplers = {}): Sampler[] {
  const changes = [...biasesOf(options), ...wanted(more.dry), ...(options.samplers ?? [])];
  if (options.temperature < COLDEST && !more.temperature) return [...changes, greedy];
  const { temperature: degree } = options;
  return [
    ...changes,
    ...wanted(more.sigma),
    ...(options.topK > 0 ? [topK(options.topK)] : []),
    ...wanted(more.temperature ?? (degree === 1 ? undefined : temperature(degree))),
    ...(options.typicalP < 1 ? [typicalP(options.typicalP)] : []),
    ...(options.topP < 1 ? [topP(options.topP)] : []),
    ...(options.minP > 0 ? [minP(options.minP)] : []),
    ...wanted(more.xtc),
    ...wanted(more.mirostat),
  ];
}

const wanted = (sampler: Sampler | undefined): Sampler[] => (sampler ? [sampler] : []);

function biasesOf(options: SamplingOptions): Sampler[] {
  const { repetitionPenalty: repetition, presencePenalty: presence, frequencyPenalty: frequency, penaltyWindow: window } = options;
  const penalised = window !== 0 && (repetition !== 1 || presence !== 0 || frequency !== 0);
  return [
    ...(options.logitBias.size > 0 ? [logitBias(options.logitBias)] : []),
    ...(penalised ? [penalties({ repetition, presence, frequency, window })] : []),
  ];
}

/** Logits (f32, at an address) to the next id. */
export type Picker = (logitsAddress: number, history: History) => number;

/** Runs the chain, behind `first`, over all ids, then draws one number from `random` and with it the id. */
export function buildSampler(
  options: SamplingOptions,
  candidates: Candidates,
  random: Xorshift64Star,
  more?: MoreSamplers,
  first?: Sampler,
): Picker {
  const chain = [...wanted(first), ...samplerChain(options, more)].map((sampler) => sampler.fork?.() ?? sampler);
  const next = () => random.float();
  if (chain.length === 1 && chain[0] === greedy) return (logitsAddress) => candidates.largest(logitsAddress);
  return (logitsAddress, history) => {
    candidates.fill(logitsAddress);
    candidates.random = next;
    for (const sampler of chain) sampler(candidates, history);
    const at = draw(candidates, random);
    if (!(candidates.size > 0 && candidates.logits[at]! > -Infinity)) throw nothingLeft();
    const id = candidates.ids[at]!;
    const probability = candidates.probabilities[at]! / candidates.mass;
    for (const sampler of chain) sampler.accept?.(id, probability);
    return id;
  };
}

const nothingLeft = (): StonechatError =>
  new StonechatError({
    code: 'bad-option',
    expected: 'at least one token that may come next',
    found: 'none: logitBias or the samplers forbid all of them',
    remedy: 'Allow more tokens.',
  });
