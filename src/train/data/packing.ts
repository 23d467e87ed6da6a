import type { Batch, Cursor } from './batches.js';
import { type Exercise, rowsOf } from './tokenized.js';
import { mix, permutation } from './random.js';

export interface BatchShape {
  readonly sequences: number;
  readonly length: number;
}

/** A batch being filled with whole exercises. */
export class Page implements Batch {
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

  /** Writes an exercise from `row` on and returns the row after it. */
  put(row: number, exercise: Exercise): number {
    const { ids, learnt } = exercise;
    for (let i = 0; i < rowsOf(exercise); i++) {
      this.ids[row + i] = ids[i]!;
      this.positions[row + i] = i;
      this.starts[row + i] = row;
      if (!learnt[i + 1]) continue;
      this.targets[row + i] = ids[i + 1]!;
      this.count++;
    }
    return row + rowsOf(exercise);
  }

  /** Where an exercise can begin at or after `row`: in what is left of the sequence, or in the next one; undefined where there is none. */
  room(row: number, exercise: Exercise): number | undefined {
    const { length } = this.shape;
    const fits = (row % length) + rowsOf(exercise) <= length;
    const at = fits ? row : Math.ceil(row / length) * length;
    return at < this.rows ? at : undefined;
  }
}

/** An endless stream of micro-batches: whole exercises side by side, in an order shuffled anew for every epoch. */
export class ExerciseStream {
  private order: Int32Array;

  constructor(
    private readonly exercises: readonly Exercise[],
    private readonly shape: BatchShape,
    private readonly seed: number,
    /** `document` counts exercises; `pair` is not needed. */
    readonly cursor: Cursor = { epoch: 0, document: 0, pair: 0 },
  ) {
    this.order = this.shuffled();
  }

  next(): Batch {
    const page = new Page(this.shape);
    for (let row = 0; ; ) {
      const exercise = this.exercises[this.order[this.cursor.document]!]!;
      const at = page.room(row, exercise);
      if (at === undefined) return page;
      row = page.put(at, exercise);
      this.advance();
    }
  }

  private advance(): void {
    const { cursor, exercises } = this;
    if (++cursor.document < exercises.length) return;
    cursor.document = 0;
    cursor.epoch++;
    this.order = this.shuffled();
  }

  private shuffled(): Int32Array {
    return permutation(this.exercises.length, mix(this.seed, this.cursor.epoch));
  }
}

/** All exercises once, in their own order. */
export function* pagesOf(exercises: readonly Exercise[], shape: BatchShape): Generator<Batch> {
  for (let next = 0; next < exercises.length; ) {
    const page = new Page(shape);
    for (let row: number | undefined = 0; next < exercises.length; next++) {
      const at = page.room(row, exercises[next]!);
      if (at === undefined) break;
      row = page.put(at, exercises[next]!);
    }
    yield page;
  }
}

/** Sequences that all exercises take once, so packed. */
export const sequencesOf = (exercises: readonly Exercise[], length: number): number => [...pagesOf(exercises, { sequences: 1, length })].length;
