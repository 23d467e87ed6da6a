import type { Batch, Cursor } from './batches.js';
import { type TokenizedExample, rowsOf } from './tokenized.js';
import { mix, permutation } from './random.js';

export interface BatchShape {
  readonly sequences: number;
  readonly length: number;
}

/** A batch being filled with whole examples. */
export class PackedBatch implements Batch {
  readonly ids: Int32Array;
  readonly positions: Int32Array;
  readonly starts: Int32Array;
  readonly targets: Int32Array;
  count = 0;

  constructor(private readonly shape: BatchShape) {
    const rows = shape.sequences * shape.length;
    [this.ids, this.positions] = [new Int32Array(rows), new Int32Array(rows)];
    this.starts = Int32Array.from({ length: rows }, (_, row) => row);
    this.targets = new Int32Array(rows).fill(-1);
  }

  get rows(): number {
    return this.ids.length;
  }

  /** Writes an example from `row` on and returns the row after it. */
  put(row: number, example: TokenizedExample): number {
    const { ids, lossMask } = example;
    for (let i = 0; i < rowsOf(example); i++) {
      this.ids[row + i] = ids[i]!;
      this.positions[row + i] = i;
      this.starts[row + i] = row;
      if (!lossMask[i + 1]) continue;
      this.targets[row + i] = ids[i + 1]!;
      this.count++;
    }
    return row + rowsOf(example);
  }

  /** Where an example can begin at or after `row`: in what is left of the sequence, or in the next one; undefined where there is none. */
  room(row: number, example: TokenizedExample): number | undefined {
    const { length } = this.shape;
    const fits = (row % length) + rowsOf(example) <= length;
    const at = fits ? row : Math.ceil(row / length) * length;
    return at < this.rows ? at : undefined;
  }
}

/** An endless stream of micro-batches: whole examples side by side, in an order shuffled anew for every epoch. */
export class PackedStream {
  private order: Int32Array;

  constructor(
    private readonly examples: readonly TokenizedExample[],
    private readonly shape: BatchShape,
    private readonly seed: number,
    /** `document` counts examples; `pair` is not needed. */
    readonly cursor: Cursor = { epoch: 0, document: 0, pair: 0 },
  ) {
    this.order = this.shuffled();
  }

  next(): Batch {
    const batch = new PackedBatch(this.shape);
    for (let row = 0; ; ) {
      const example = this.examples[this.order[this.cursor.document]!]!;
      const at = batch.room(row, example);
      if (at === undefined) return batch;
      row = batch.put(at, example);
      this.advance();
    }
  }

  private advance(): void {
    const { cursor, examples } = this;
    if (++cursor.document < examples.length) return;
    cursor.document = 0;
    cursor.epoch++;
    this.order = this.shuffled();
  }

  private shuffled(): Int32Array {
    return permutation(this.examples.length, mix(this.seed, this.cursor.epoch));
  }
}

/** All examples once, in their own order. */
export function* packedBatchesOf(examples: readonly TokenizedExample[], shape: BatchShape): Generator<Batch> {
  for (let next = 0; next < examples.length; ) {
    const batch = new PackedBatch(shape);
    for (let row: number | undefined = 0; next < examples.length; next++) {
      const at = batch.room(row, examples[next]!);
      if (at === undefined) break;
      row = batch.put(at, examples[next]!);
    }
    yield batch;
  }
}

/** Sequences that all examples take once, so packed. */
export const sequencesOf = (examples: readonly TokenizedExample[], length: number): number => [...packedBatchesOf(examples, { sequences: 1, length })].length;
