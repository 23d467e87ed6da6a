/** Rows of x, by number. */
export const gatherRows = (x: readonly (readonly number[])[], rows: readonly number[]): number[][] => rows.map((row) => x[row]!.slice());

/** y with x[i] added to its row rows[i]: the transpose of the selection. */
export const scatterRows = (y: readonly (readonly number[])[], x: readonly (readonly number[])[], rows: readonly number[]): number[][] =>
  y.map((to, row) => to.map((value, column) => value + (rows.includes(row) ? x[rows.indexOf(row)]![column]! : 0)));
