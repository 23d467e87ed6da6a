import { mix, permutation } from './random.js';

/** One micro-batch: the rows of several sequences, one after another with nothing between them. */
export interface Batch {
  readonly ids: Int32Array;
  /** Position within the sequence. */
  readonly positions: Int32Array;
  /** The first row of each sequence, none of which sees another, and behind the last the number of all rows. */
  readonly spans: Int32Array;
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

/** A micro-batch that is filled. */
export class Filling {
  private readonly ids: Int32Array;
  private readonly positions: Int32Array;
  private readonly targets: Int32Array;
  private readonly spans = [0];
  private count = 0;

  constructor(readonly capacity: number) {
    [this.ids, this.positions, this.targets] = [new Int32Array(capacity), new Int32Array(capacity), new Int32Array(capacity)];
  }

  /** How many have been filled. */
  get rows(): number {
    return this.spans.at(-1)!;
  }

  get room(): number {
    return this.capacity - this.rows;
  }

  /** Adds a sequence of ids that tell their next ones, its own last id excepted; where there is a mask, as far as it is not 0 there. */
  add(ids: Int32Array, mask?: Uint8Array): void {
    const { rows, targets } = this;
    const length = ids.length - 1;
    this.ids.set(ids.subarray(0, length), rows);
    targets.set(ids.subarray(1), rows);
    for (let i = 0; i < length; i++) {
      this.positions[rows + i] = i;
      if (mask && !mask[i + 1]) targets[rows + i] = -1;
      else this.count++;
    }
    this.spans.push(rows + length);
  }

  get batch(): Batch {
    const { ids, positions, targets, rows, count, spans } = this;
    return { ids: ids.subarray(0, rows), positions: positions.subarray(0, rows), targets: targets.subarray(0, rows), spans: Int32Array.from(spans), count };
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
    const filling = new Filling(sequences * length);
    while (filling.room > 0) this.pack(filling);
    return filling.batch;
  }

  private pack(filling: Filling): void {
    const { documents, cursor, shape } = this;
    const document = this.order[cursor.document]!;
    const available = pairs(documents, document) - cursor.pair;
    const taken = addPart(filling, documents.ids, begin(documents, document) + cursor.pair, available, shape.length);
    cursor.pair += taken;
    if (taken === available) this.advance();
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

/** As many pairs as the sequence of `length` rows that is being filled has room for; returns how many. */
function addPart(filling: Filling, ids: Int32Array, from: number, available: number, length: number): number {
  const taken = Math.min(available, length - (filling.rows % length));
  filling.add(ids.subarray(from, from + taken + 1));
  return taken;
}

/** All documents once, in their own order, at most `most` batches; the last one has as many rows as are left. */
export function* batchesOf(documents: Documents, { sequences, length }: { sequences: number; length: number }, most = Infinity): Generator<Batch> {
  let document = 0;
  let pair = 0;
  for (let made = 0; made < most && document < documents.ends.length; made++) {
    const filling = new Filling(sequences * length);
    while (filling.room > 0 && document < documents.ends.length) {
      const available = pairs(documents, document) - pair;
      const taken = addPart(filling, documents.ids, begin(documents, document) + pair, available, length);
      pair += taken;
      if (taken < available) continue;
      document++;
      pair = 0;
    }
    yield filling.batch;
  }
}
