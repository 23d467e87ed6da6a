/** Relative to the sum of the sizes of what is summed: f32, up to a few hundred rows. */
export const COLUMN_SUM_TOLERANCE = 1e-6;

/** y = x + bias, row by row; and the gradient by the bias: sums of columns. */
export const addBias = (x: ArrayLike<number>, bias: ArrayLike<number>): Float64Array => Float64Array.from(x, (value, i) => value + bias[i % bias.length]!);

export function biasGrad(dy: ArrayLike<number>, columns: number): Float64Array {
  const db = new Float64Array(columns);
  for (let i = 0; i < dy.length; i++) db[i % columns]! += dy[i]!;
  return db;
}
