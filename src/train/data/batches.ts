import { mix, permutation } from './random.js';

/** One micro-batch: i32 arrays of sequences × length rows. */
export interface Batch {
  readonly ids: Int32Array;
  /** Position within the document, or within its part in this sequence. */
  readonly positions: Int32Array;
  /** The first row that a row may attend to: that of its document in this sequence. */
  readonly starts: Int32Array;
  /** The token that follows; -1: no loss here. */
  readonly targets: Int32Array;
  /** Rows with a loss. */
  readonly count: number;
}

/** Tokenized documents, one after another. */
export interface Documents {
  readonly ids: Int32Array;
  /** Document i is ids[ends[i - 1] … ends[i]]; every one begins with a start token and ends with an end token. */
  readonly ends: Int32Array;
}

/** Predictions that a document offers: one for every token but the first. */
const pairs = ({ ends }: Documents, document: number): number => ends[document]! - (document ? ends[document - 1]! : 0) - 1;
const begin = ({ ends }: Documents, document: number): number => (document ? ends[document - 1]! : 0);

export const pairCount = ({ ids, ends }: Documents): number => ids.length - ends.length;

/** How far the stream has come: all that is needed to go on exactly. */
export interface Cursor {
  epoch: number;
  /** Place in this epoch's order of documents, and pairs of that document already given out. */
  document: number;
  pair: number;
}

/** Rows of batches to be filled. */
class Filling {
  readonly ids: Int32Array;
  readonly positions: Int32Array;
  readonly starts: Int32Array;
  readonly targets: Int32Array;
  count = 0;

  constructor(
    rows: number,
    private readonly length: number,
  ) {
    [this.ids, this.positions, this.starts] = [new Int32Array(rows), new Int32Array(rows), new Int32Array(rows)];
    this.targets = new Int32Array(rows).fill(-1);
    for (let row = 0; row < rows; row++) this.starts[row] = row;
  }

  get rows(): number {
    return this.ids.length;
  }

  /** Takes as many pairs as the sequence at `row` has room for; returns how many. */
  put(row: number, ids: Int32Array, from: number, available: number): number {
    const taken = Math.min(available, this.length - (row % this.length));
    for (let i = 0; i < taken; i++) {
      this.ids[row + i] = ids[from + i]!;
      this.targets[row + i] = ids[from + i + 1]!;
      this.positions[row + i] = i;
      this.starts[row + i] = row;
    }
    this.count += taken;
    return taken;
  }
}

/**
 * An endless stream of micro-batches: documents in an order shuffled anew for every epoch, packed one after another
 * into sequences of `length`. Within a sequence no document sees another, and positions begin anew with each.
 */
export class BatchStream {
  private order: Int32Array;

  constructor(
    private readonly documents: Documents,
    private readonly shape: { readonly sequences: number; readonly length: number },
    private readonly seed: number,
    readonly cursor: Cursor = { epoch: 0, document: 0, pair: 0 },
  ) {
    this.order = this.shuffled();
  }

  next(): Batch {
    const { sequences, length } = this.shape;
    const batch = new Filling(sequences * length, length);
    for (let row = 0; row < batch.rows; ) row += this.pack(batch, row);
    return batch;
  }

  private pack(batch: Filling, row: number): number {
    const { documents, cursor } = this;
    const document = this.order[cursor.document]!;
    const available = pairs(documents, document) - cursor.pair;
    const taken = batch.put(row, documents.ids, begin(documents, document) + cursor.pair, available);
    cursor.pair += taken;
    if (taken === available) this.advance();
    return taken;
  }

  private advance(): void {
    const { cursor, documents } = this;
    cursor.pair = 0;
    if (++cursor.document < documents.ends.length) return;
    cursor.document = 0;
    cursor.epoch++;
    this.order = this.shuffled();
  }

  private shuffled(): Int32Array {
    return permutation(this.documents.ends.length, mix(this.seed, this.cursor.epoch));
  }
}

/** All documents once, in their own order, at most `most` batches; the last one is filled up with rows that have no loss. */
export function* batchesOf(documents: Documents, { sequences, length }: { sequences: number; length: number }, most = Infinity): Generator<Batch> {
  let document = 0;
  let pair = 0;
  for (let made = 0; made < most && document < documents.ends.length; made++) {
    const batch = new Filling(sequences * length, length);
    for (let row = 0; row < batch.rows && document < documents.ends.length; ) {
      const available = pairs(documents, document) - pair;
      const taken = batch.put(row, documents.ids, begin(documents, document) + pair, available);
      row += taken;
      pair += taken;
      if (taken < available) continue;
      document++;
      pair = 0;
    }
    yield batch;
  }
}
