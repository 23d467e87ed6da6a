/** What several rounds gave: the median, and the quartiles around it. */
export interface Figure {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** Linear between neighbours, as numpy's default. */
function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)]!;
  return low + (sorted[Math.ceil(at)]! - low) * (at - Math.floor(at));
}

export function figureOf(values: readonly number[]): Figure {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: quantile(sorted, 0.5), low: quantile(sorted, 0.25), high: quantile(sorted, 0.75) };
}

/** Of two lists, round by round: what was measured side by side is compared side by side. */
export const ratioOf = (values: readonly number[], to: readonly number[]): Figure => figureOf(values.map((value, round) => value / to[round]!));

/** Half of the distance between the quartiles, of the median. */
export const spreadOf = ({ median, low, high }: Figure): number => (high - low) / 2 / median;
