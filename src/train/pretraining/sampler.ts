import { evaluate } from '../../run/types.js';
import { Candidates } from '../../sample/candidates.js';
import { buildSampler, type SamplingOptions } from '../../sample/index.js';
import { Xorshift64Star } from '../../sample/random.js';
import type { Tokenizer } from '../../text/types.js';
import type { TrainEngine } from '../loop/engine.js';

export interface SampleOptions {
  /** What the text begins with; '' begins where documents do. */
  readonly prompt: string;
  /** Tokens at most. */
  readonly tokens: number;
  readonly seed: number;
}

/** How samples are drawn, of every kind of model. */
export const SAMPLING: SamplingOptions = {
  temperature: 0.8, topK: 0, topP: 0.95, minP: 0, typicalP: 1, repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0, penaltyWindow: 0,
  logitBias: new Map(), samplers: undefined,
};

/** Shows what the weights would write as they are now, the prompt included: the same seed every time, so that progress can be compared. */
export function createSampler(engine: TrainEngine, tokenizer: Tokenizer, { prompt, tokens, seed }: SampleOptions): () => string {
  const runner = engine.runner();
  const sequence = runner.newSequence(runner.contextLength);
  const candidates = new Candidates(engine.kernels, engine.arena, runner.vocabulary);
  const start = tokenizer.bos ?? tokenizer.eos;
  const first = [...(start === undefined ? [] : [start]), ...tokenizer.encode(prompt, { addSpecial: false })].slice(0, runner.contextLength);
  const ids = new Int32Array(Math.min(runner.contextLength, first.length + tokens));
  return () => {
    ids.set(first);
    sequence.keep(0);
    for (let at = 0; at < first.length; at += runner.maxBatch) evaluate(runner, sequence, first.slice(at, at + runner.maxBatch));
    const pick = buildSampler(SAMPLING, candidates, new Xorshift64Star(BigInt(seed)));
    let length = first.length;
    while (length < ids.length) {
      const id = pick(runner.logitsAddress, { ids, length });
      if (tokenizer.stopIds.has(id)) break;
      ids[length++] = id;
      if (length < ids.length) evaluate(runner, sequence, [id]);
    }
    return tokenizer.decode(ids.subarray(0, length));
  };
}
