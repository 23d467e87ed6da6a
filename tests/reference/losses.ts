// Losses in f64, one row at a time; gradients of scale * loss.

export const squaredError = (x: readonly number[], target: readonly number[]): number => x.reduce((sum, v, i) => sum + (v - target[i]!) ** 2, 0);
export const squaredErrorGrad = (x: readonly number[], target: readonly number[], scale: number): number[] => x.map((v, i) => 2 * scale * (v - target[i]!));

export const logisticLoss = (x: readonly number[], label: number): number => x.reduce((sum, v) => sum + Math.log1p(Math.exp(-Math.abs(v))) + Math.max(v, 0) - label * v, 0);
export const logisticLossGrad = (x: readonly number[], label: number, scale: number): number[] => x.map((v) => scale * (1 / (1 + Math.exp(-v)) - label));

export const gaussian = (mean: readonly number[], logVariance: readonly number[], noise: readonly number[]): number[] => mean.map((m, i) => m + Math.exp(logVariance[i]! / 2) * noise[i]!);
export const gaussianGrad = (dy: readonly number[], logVariance: readonly number[], noise: readonly number[]): [mean: number[], logVariance: number[]] =>
  [dy.slice(), dy.map((d, i) => (d * noise[i]! * Math.exp(logVariance[i]! / 2)) / 2)];

export const gaussianKl = (mean: readonly number[], logVariance: readonly number[]): number => mean.reduce((sum, m, i) => sum + (m * m + Math.exp(logVariance[i]!) - 1 - logVariance[i]!) / 2, 0);
export const gaussianKlGrad = (mean: readonly number[], logVariance: readonly number[], scale: number): [mean: number[], logVariance: number[]] =>
  [mean.map((m) => scale * m), logVariance.map((v) => (scale * (Math.exp(v) - 1)) / 2)];
