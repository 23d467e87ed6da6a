/** Relative to the result, plus what sums near zero may lose: of f32's 6e-8, about three roundings. */
export const activationTolerance = (expected: number): number => 4e-7 * Math.abs(expected) + 1e-8;

export const silu = (x: number): number => x / (1 + Math.exp(-x));

export const gelu = (x: number): number => x / (1 + Math.exp(-2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

/** x times the normal distribution function. */
export const geluErf = (x: number): number => (x * erfc(-x / Math.SQRT2)) / 2;

/** Complementary error function: Taylor series of erf in the middle, the continued fraction outside. */
export function erfc(x: number): number {
  if (x < 0) return 2 - erfc(-x);
  if (x === Infinity) return 0;
  if (x < 2.5) {
    let term = x, sum = x;
    for (let n = 1; n < 80; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 120; n > 0; n--) fraction = n / 2 / (x + fraction);
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Derivatives. */
export const siluSlope = (x: number): number => sigmoid(x) * (1 + x * (1 - sigmoid(x)));
export const geluSlope = (x: number): number => {
  const a = 2 * Math.sqrt(2 / Math.PI), share = sigmoid(a * (x + 0.044715 * x ** 3));
  return share * (1 + (1 - share) * a * (x + 3 * 0.044715 * x ** 3));
};
export const geluErfSlope = (x: number): number => erfc(-x / Math.SQRT2) / 2 + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
export const tanhSlope = (x: number): number => 1 - Math.tanh(x) ** 2;

/** Absolute error of a derivative in f32; all of them are at most 1.13 in size. */
export const SLOPE_TOLERANCE = 1e-6;
