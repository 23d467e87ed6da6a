/** Rows `ids` of a table. */
export const embed = (table: ArrayLike<number>, ids: readonly number[], columns: number): Float64Array =>
  Float64Array.from({ length: ids.length * columns }, (_, i) => table[ids[Math.floor(i / columns)]! * columns + (i % columns)]!);

/** Gradient by a table of `rows` rows: each row of dy goes to the row that its id took. */
export function embedGrad(dy: ArrayLike<number>, ids: readonly number[], rows: number, columns: number): Float64Array {
  const grad = new Float64Array(rows * columns);
  ids.forEach((id, token) => {
    for (let i = 0; i < columns; i++) grad[id * columns + i]! += dy[token * columns + i]!;
  });
  return grad;
}
