import { badOption, show } from '../../files/refuse.js';
import { Arena } from '../../kernels/arena.js';
import { Candidates } from '../../sample/candidates.js';
import { buildSampler, type SamplingOptions } from '../../sample/index.js';
import type { SamplingKernels } from '../../sample/kernels.js';
import { Xorshift64Star } from '../../sample/random.js';
import type { NgramModel } from './model.js';

/** Options of `generateNgrams`. */
export interface NgramGenerateOptions extends Partial<SamplingOptions> {
  /** Default 100. */
  maxTokens?: number;
  /** Default 0. The same seed gives the same ids everywhere. */
  seed?: number;
  /** Ids that end the text; they are not part of it. */
  stopIds?: Iterable<number>;
}

export const PLAIN: SamplingOptions = {
  temperature: 1, topK: 0, topP: 1, minP: 0, typicalP: 1, repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0, penaltyWindow: 0,
  logitBias: new Map(), samplers: undefined,
};

/** Draws ids behind a prompt (its own ids left out), through the samplers of generation. `kernels`: an instance that nothing else uses. */
export function generateNgrams(model: NgramModel, kernels: SamplingKernels, prompt: ArrayLike<number>, options: NgramGenerateOptions = {}): number[] {
  const { maxTokens = 100, seed = 0, stopIds, ...sampling } = options;
  if (!Number.isInteger(maxTokens) || maxTokens < 0) throw badOption('maxTokens as a whole number from 0', show(maxTokens));
  if (!Number.isSafeInteger(seed) || seed < 0) throw badOption('a seed as a whole number from 0', show(seed));
  const given = Object.fromEntries(Object.entries(sampling).filter(([, value]) => value !== undefined));
  const stops = new Set(stopIds);
  const arena = new Arena(kernels.memory);
  const candidates = new Candidates(kernels, arena, model.vocabulary);
  const address = arena.allocate(model.vocabulary * 4, 'sampling');
  const pick = buildSampler({ ...PLAIN, ...given }, candidates, new Xorshift64Star(BigInt(seed)));
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
