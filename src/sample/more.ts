// The samplers that few ask for: a chunk of its own. What they are given was checked at the doors.
import type { Tokenizer } from '../text/types.js';
import { sequenceBreakers } from './breakers.js';
import { dry } from './dry.js';
import { dynamicTemperature } from './dynamic-temperature.js';
import { mirostat } from './mirostat.js';
import { topNSigma } from './top-n-sigma.js';
import type { MoreOptions, MoreSamplers, Sampler } from './types.js';
import { xtc } from './xtc.js';

export { dry, dynamicTemperature, mirostat, sequenceBreakers, topNSigma, xtc };
export type { SequenceBreakers } from './breakers.js';
export type { Dry } from './dry.js';
export type { DynamicTemperature } from './dynamic-temperature.js';
export type { Mirostat } from './mirostat.js';
export type { Xtc } from './xtc.js';

/** Those that the options ask for. */
export function moreSamplers(options: MoreOptions, degree: number, tokenizer: Tokenizer): MoreSamplers {
  const { dryMultiplier, xtcProbability, dynatempRange } = options;
  return {
    dry: dryMultiplier > 0 ? dryOf(options, tokenizer) : undefined,
    sigma: options.topNSigma > 0 ? topNSigma(options.topNSigma) : undefined,
    temperature: dynatempRange > 0
      ? dynamicTemperature({ temperature: degree, range: dynatempRange, exponent: options.dynatempExponent })
      : undefined,
    xtc: xtcProbability > 0 ? xtc({ probability: xtcProbability, threshold: options.xtcThreshold }) : undefined,
    mirostat: options.mirostat === 2 ? mirostat({ tau: options.mirostatTau, eta: options.mirostatEta }) : undefined,
  };
}

function dryOf(options: MoreOptions, tokenizer: Tokenizer): Sampler {
  return dry({
    multiplier: options.dryMultiplier,
    base: options.dryBase,
    allowedLength: options.dryAllowedLength,
    penaltyLastN: options.dryPenaltyLastN,
    breakers: sequenceBreakers(tokenizer, options.drySequenceBreakers),
  });
}
