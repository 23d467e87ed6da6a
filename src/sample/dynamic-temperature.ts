import type { Sampler } from './types.js';

/** What `dynamicTemperature` takes. */
export interface DynamicTemperature {
  /** Default 1. */
  readonly temperature?: number;
  /** The temperature goes from `temperature - range` (0 at least) to `temperature + range`. Default 0.5. */
  readonly range?: number;
  /** Above 1 high temperatures are kept for very even distributions. Default 1. */
  readonly exponent?: number;
}

/**
 * A temperature that follows the entropy: lowest where one id is certain, highest where all are alike (Zhu et al. 2024,
 * as llama.cpp has it).
 */
export function dynamicTemperature(given: DynamicTemperature): Sampler {
  const { temperature: middle = 1, range = 0.5, exponent = 1 } = given;
  const lowest = Math.max(0, middle - range);
  return (candidates) => {
    if (range === 0) return candidates.divide(middle);
    if (candidates.size < 2) return;
    const evenness = candidates.measure().entropy / candidates.log(candidates.size);
    const power = evenness > 0 ? candidates.exp(exponent * candidates.log(evenness)) : Number(exponent === 0);
    candidates.divide(lowest + (middle + range - lowest) * power);
  };
}
