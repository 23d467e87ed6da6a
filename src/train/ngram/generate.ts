import { badOption, show } from '../../files/refuse.js';
import { among } from '../../generate/options.js';
import { checkRules, type Rule, whole } from '../../generate/rules.js';
import { Arena } from '../../kernels/arena.js';
import { Candidates } from '../../sample/candidates.js';
import { buildSampler, type SamplingOptions } from '../../sample/index.js';
import type { SamplingKernels } from '../../sample/kernels.js';
import { Xorshift64Star } from '../../sample/random.js';
import { checkModel, type NgramModel } from './model.js';

/** Options of `generateNgrams`. */
export interface NgramGenerateOptions extends Partial<SamplingOptions> {
  /** Default 100. */
  maxTokens?: number;
  /** Default 0. The same seed gives the same ids everywhere. */
  seed?: number;
  /** Ids that end the text; they are not part of it. */
  stopIds?: Iterable<number>;
}

const PLAIN: SamplingOptions = {
  temperature: 1, topK: 0, topP: 1, minP: 0, typicalP: 1, repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0, penaltyWindow: 0,
  logitBias: new Map(), samplers: undefined,
};

const SAMPLING = Object.keys(PLAIN) as (keyof SamplingOptions)[];
const MOST_TOKENS = 1 << 24;

/** Arguments of `generateNgrams` as callers pass them; `more`: rules of further options. @throws StonechatError `bad-option` */
export function checkNgramCall(model: NgramModel, prompt: ArrayLike<number>, options: object, more: Readonly<Record<string, Rule>>): void {
  checkModel(model);
  const { stopIds, ...rules } = among(model.vocabulary, ['seed', 'stopIds', ...SAMPLING]);
  const { logitBias } = rules;
  checkRules('generateNgrams()', options, {
    ...rules, ...more,
    maxTokens: whole(0, MOST_TOKENS, 100),
    stopIds: { ...stopIds, accepts: (value) => typeof value === 'object' && Symbol.iterator in Object(value) && stopIds.accepts([...(value as Iterable<unknown>)]) },
    logitBias: { ...logitBias, accepts: (value) => value instanceof Map && logitBias.accepts(value) },
  });
  const isList = Array.isArray(prompt) || ArrayBuffer.isView(prompt);
  if (!isList || !stopIds.accepts(Array.from(prompt))) throw badOption(`a prompt as token ids from 0 to ${model.vocabulary - 1}`, show(prompt), 'Encode the text first.');
}

/** Draws ids behind a prompt (its own ids left out), through the samplers of generation. `kernels`: an instance that nothing else uses. */
export function generateNgrams(model: NgramModel, kernels: SamplingKernels, prompt: ArrayLike<number>, options: NgramGenerateOptions = {}): number[] {
  const { maxTokens = 100, seed = 0, stopIds, ...sampling } = options;
  if (!Number.isInteger(maxTokens) || maxTokens < 0) throw badOption('maxTokens as a whole number from 0', show(maxTokens));
  if (!Number.isSafeInteger(seed) || seed < 0) throw badOption('a seed as a whole number from 0', show(seed));
  const stops = new Set(stopIds);
  const arena = new Arena(kernels.memory);
  const candidates = new Candidates(kernels, arena, model.vocabulary);
  const address = arena.allocate(model.vocabulary * 4, 'sampling');
  const pick = buildSampler({ ...PLAIN, ...sampling }, candidates, new Xorshift64Star(BigInt(seed)));
  const ids = Int32Array.from({ length: prompt.length + maxTokens }, (_, i) => prompt[i] ?? 0);
  const row = new Float64Array(model.vocabulary);
  let length = prompt.length;
  while (length < ids.length) {
    model.distribution(ids.subarray(Math.max(0, length - model.order + 1), length), row);
    new Float32Array(kernels.memory.buffer, address, row.length).set(row.map((probability) => kernels.exports.log_f64(probability)));
    const id = pick(address, { ids, length });
    if (stops.has(id)) break;
    ids[length++] = id;
  }
  return [...ids.subarray(prompt.length, length)];
}
