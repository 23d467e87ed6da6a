import { checkRules, whole } from '../generate/rules.js';
import type { Token } from '../generate/types.js';
import { checkTokens } from './check.js';

/** Predictions whose probability lies in one range. */
export interface CalibrationBin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Mean probability of the most likely token, and how often it was the token that came. */
  readonly confidence: number;
  readonly accuracy: number;
}

/** How well probabilities match what happened. */
export interface Calibration {
  readonly tokens: number;
  /** Expected calibration error (Guo et al. 2017): mean |accuracy - confidence| over the bins, weighted by their counts. */
  readonly expectedCalibrationError: number;
  /** Share of tokens that were the most likely one. */
  readonly accuracy: number;
  readonly confidence: number;
  readonly bins: readonly CalibrationBin[];
}

/** Collects predictions of the next token: feed it tokens read with `top: 1`, for instance as `onToken` of `perplexity`. */
export class Calibrator {
  private readonly counts: Float64Array;
  private readonly confident: Float64Array;
  private readonly right: Float64Array;

  constructor(private readonly bins = 10) {
    checkRules('Calibrator()', { bins }, { bins: whole(1, 1 << 16, 10) });
    this.counts = new Float64Array(bins);
    this.confident = new Float64Array(bins);
    this.right = new Float64Array(bins);
  }

  readonly add = (token: Token): void => {
    checkTokens([token]);
    const { id, top } = token;
    const best = top[0];
    if (!best) return;
    const probability = Math.exp(best.logprob);
    const bin = Math.min(this.bins - 1, Math.floor(probability * this.bins));
    this.counts[bin]!++;
    this.confident[bin]! += probability;
    if (best.id === id) this.right[bin]!++;
  };

  result(): Calibration {
    const sum = (values: Float64Array) => values.reduce((a, b) => a + b, 0);
    const tokens = sum(this.counts);
    const share = (part: number, whole: number) => (whole ? part / whole : 0);
    const bins = Array.from(this.counts, (count, i) => ({
      from: i / this.bins, to: (i + 1) / this.bins, count, confidence: share(this.confident[i]!, count), accuracy: share(this.right[i]!, count),
    }));
    const gaps = bins.reduce((total, { count, confidence, accuracy }) => total + count * Math.abs(accuracy - confidence), 0);
    return { tokens, expectedCalibrationError: share(gaps, tokens), accuracy: share(sum(this.right), tokens), confidence: share(sum(this.confident), tokens), bins };
  }
}
