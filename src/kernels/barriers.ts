import type { Argument } from './steps.js';
import { SLOT } from './steps.js';

/** Memory that steps share. Values in one buffer, row for row, are one and the same object; buffers used again have new ones. */
export interface Region {
  readonly offset: number;
  readonly bytes: number;
}

/** What a step reads and writes, and what its threads share. */
export interface Touch {
  readonly reads: readonly Region[];
  readonly writes: readonly Region[];
  readonly items: Argument | null;
}

const ROWS: ReadonlySet<number> = new Set([SLOT.tokens, SLOT.outputTokens]);

/** Both go over the same rows, so that every thread gets the rows that it had before. */
const shareRows = (a: Argument | null, b: Argument | null): boolean =>
  a !== null && b !== null && ROWS.has(a.slot) && a.slot === b.slot && a.scale === b.scale && a.base === b.base;

const overlap = (a: Region, b: Region): boolean => a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;

function clash(before: Touch, after: Touch): boolean {
  const own = shareRows(before.items, after.items);
  const meet = (a: readonly Region[], b: readonly Region[]) => a.some((x) => b.some((y) => overlap(x, y) && !(own && x === y)));
  return meet(before.writes, after.reads) || meet(before.writes, after.writes) || meet(before.reads, after.writes);
}

/** Between which steps all threads must meet: where one touches what others may not have finished with since they last met. */
export class Barriers {
  private pending: Touch[] = [];

  /** Whether they must meet before this step. Steps come in the order of the plan. */
  before(step: Touch): boolean {
    const must = this.pending.some((earlier) => clash(earlier, step));
    this.pending = must ? [step] : [...this.pending, step];
    return must;
  }
}
