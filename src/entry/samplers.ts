// `stonechat/samplers`: those that few ask for, for lists of one's own. The others come with the main entry.
import { checkRules, number, refuse, type Rule, SAMPLER_RULES as RULES, show, USUAL } from '../generate/rules.js';
import * as samplers from '../sample/more.js';
import type { Dry, DynamicTemperature, Mirostat, SequenceBreakers, Xtc } from '../sample/more.js';
import type { Sampler } from '../sample/types.js';
import type { Tokenizer } from '../text/types.js';

export type { Dry, DynamicTemperature, Mirostat, SequenceBreakers, Xtc };

const BREAKERS: Rule = {
  expected: 'what sequenceBreakers() gives',
  accepts: (value) => value instanceof Map && [...value].every(([id, tails]) => Number.isInteger(id) && isTails(tails)),
  otherwise: 'none',
};
const isTails = (value: unknown): boolean => Array.isArray(value) && value.every((tail) => tail instanceof Int32Array);

/**
 * Don't repeat yourself, as in llama.cpp: an id that would go on with a sequence that stood there before is made less likely,
 * by multiplier * base ^ (length of the sequence - allowedLength). @throws StonechatError `bad-option`
 */
export function dry(options: Dry = {}): Sampler {
  checkRules('dry()', options, {
    multiplier: RULES.dryMultiplier,
    base: RULES.dryBase,
    allowedLength: RULES.dryAllowedLength,
    penaltyLastN: RULES.dryPenaltyLastN,
    breakers: BREAKERS,
  } satisfies Record<keyof Dry, Rule>);
  return samplers.dry(options);
}

/** The tokens in which texts (llama.cpp's four by default) occur or begin: where repetitions end for `dry`. @throws StonechatError `bad-option` */
export function sequenceBreakers(tokenizer: Tokenizer, texts: readonly string[] = USUAL.drySequenceBreakers): SequenceBreakers {
  if (typeof Object(tokenizer).encode !== 'function') refuse('a tokenizer', show(tokenizer), 'Give model.tokenizer.');
  checkRules('sequenceBreakers()', { texts }, { texts: RULES.drySequenceBreakers });
  return samplers.sequenceBreakers(tokenizer, texts);
}

/** Forbids ids whose logit lies more than n standard deviations below the largest; 0 keeps all. @throws StonechatError `bad-option` */
export function topNSigma(n: number): Sampler {
  checkRules('topNSigma()', { n }, { n: RULES.topNSigma });
  return samplers.topNSigma(n);
}

/** A temperature that follows the entropy: lowest where one id is certain. @throws StonechatError `bad-option` */
export function dynamicTemperature(options: DynamicTemperature = {}): Sampler {
  const rules = { temperature: number(0, 100, 1), range: RULES.dynatempRange, exponent: RULES.dynatempExponent };
  checkRules('dynamicTemperature()', options, rules satisfies Record<keyof DynamicTemperature, Rule>);
  return samplers.dynamicTemperature(options);
}

/** Excludes top choices: of the ids at least as likely as the threshold, all but the least likely. @throws StonechatError `bad-option` */
export function xtc(options: Xtc = {}): Sampler {
  const rules = { probability: RULES.xtcProbability, threshold: RULES.xtcThreshold };
  checkRules('xtc()', options, rules satisfies Record<keyof Xtc, Rule>);
  return samplers.xtc(options);
}

/** Mirostat 2: keeps the surprise of what is chosen at tau bits. To be the last of a list. @throws StonechatError `bad-option` */
export function mirostat(options: Mirostat = {}): Sampler {
  checkRules('mirostat()', options, { tau: RULES.mirostatTau, eta: RULES.mirostatEta } satisfies Record<keyof Mirostat, Rule>);
  return samplers.mirostat(options);
}
