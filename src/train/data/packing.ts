import { type Batch, type Cursor, Filling } from './batches.js';
import { type TokenizedExample, rowsOf } from './tokenized.js';
import { mix, permutation } from './random.js';

/** The rows of a micro-batch: at most sequences × length, no example longer than `length`. */
export interface BatchShape {
  readonly sequences: number;
  readonly length: number;
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
    const filling = new Filling(this.shape.sequences * this.shape.length);
    for (;;) {
      const { ids, lossMask } = this.examples[this.order[this.cursor.document]!]!;
      if (ids.length - 1 > filling.room) return filling.batch;
      filling.add(ids, lossMask);
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
export function* packedBatchesOf(examples: readonly TokenizedExample[], { sequences, length }: BatchShape): Generator<Batch> {
  let filling = new Filling(sequences * length);
  for (const example of examples) {
    if (rowsOf(example) > filling.room) {
      yield filling.batch;
      filling = new Filling(sequences * length);
    }
    filling.add(example.ids, example.lossMask);
  }
  if (filling.rows > 0) yield filling.batch;
}

/** Sequences of `length` rows that all examples fill once. */
export const sequencesOf = (examples: readonly TokenizedExample[], length: number): number =>
  Math.ceil(examples.reduce((sum, example) => sum + rowsOf(example), 0) / length);
