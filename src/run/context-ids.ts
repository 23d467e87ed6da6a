import type { Input } from '../graph/graph.js';

export type ContextIds = Pick<Extract<Input, { kind: 'contextIds' }>, 'width' | 'padding'>;

/** The ids of a sequence so far. What is put at a position replaces what was there: a sequence that is cut and goes on needs nothing more. */
export class History {
  ids = new Int32Array(256);

  put(position: number, ids: ArrayLike<number>): void {
    const end = position + ids.length;
    if (end > this.ids.length) {
      const grown = new Int32Array(Math.max(end, 2 * this.ids.length));
      grown.set(this.ids);
      this.ids = grown;
    }
    this.ids.set(ids, position);
  }
}

/**
 * The ids that each row looks back at, [row][width], oldest first: its own and those before it, padding where they would lie
 * before the text's first row. `out` is of the rows from `first` on.
 */
export function writeContextIds(out: Int32Array, ids: Int32Array, first: number, startOf: (row: number) => number, { width, padding }: ContextIds): void {
  for (let i = 0; i < out.length; i++) {
    const row = first + Math.floor(i / width);
    const at = row - width + 1 + (i % width);
    out[i] = at >= startOf(row) ? ids[at]! : padding;
  }
}
