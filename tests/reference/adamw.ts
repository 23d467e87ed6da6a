/** Relative to the size of a parameter and of its step. */
export const ADAMW_TOLERANCE = 1e-6;

export interface AdamwSettings {
  rate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  decay: number;
  /** Steps so far, this one included. */
  step: number;
  gradientScale: number;
}

/** One parameter's step of Loshchilov and Hutter 2019, algorithm 2, weights decayed first: [p, m, v]. */
export function adamw(p: number, g: number, m: number, v: number, { rate, beta1, beta2, epsilon, decay, step, gradientScale }: AdamwSettings): [number, number, number] {
  const gradient = g * gradientScale;
  const mean = beta1 * m + (1 - beta1) * gradient, square = beta2 * v + (1 - beta2) * gradient ** 2;
  const change = mean / (1 - beta1 ** step) / (Math.sqrt(square / (1 - beta2 ** step)) + epsilon);
  return [p - rate * decay * p - rate * change, mean, square];
}

/** Relative, of a sum of squares in f64. */
export const SUM_SQUARES_TOLERANCE = 1e-13;
export const sumSquares = (x: ArrayLike<number>): number => Array.from(x).reduce((sum, value) => sum + value * value, 0);
