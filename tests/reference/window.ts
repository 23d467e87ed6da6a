import { embed, embedGrad } from './embed.js';

/** The ids that row `row` of a sequence looks back at, oldest first: its own and those before it, `padding` before `start`. */
export const windowIds = (ids: readonly number[], row: number, width: number, padding: number, start = 0): number[] =>
  Array.from({ length: width }, (_, j) => (row - width + 1 + j < start ? padding : ids[row - width + 1 + j]!));

/** Their embeddings side by side, for every row; `starts[row]` is the first row of its document. */
export const window = (table: ArrayLike<number>, ids: readonly number[], starts: readonly number[], columns: number, width: number, padding: number): Float64Array =>
  embed(table, ids.flatMap((_, row) => windowIds(ids, row, width, padding, starts[row])), columns);

export const windowGrad = (dy: ArrayLike<number>, ids: readonly number[], starts: readonly number[], rows: number, columns: number, width: number, padding: number): Float64Array =>
  embedGrad(dy, ids.flatMap((_, row) => windowIds(ids, row, width, padding, starts[row])), rows, columns);
