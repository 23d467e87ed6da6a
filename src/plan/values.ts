import type { Value } from '../graph/graph.js';
import { rowStride } from './plan.js';
import type { Buffer, Program, Spot } from './program.js';

export const F32_BYTES = 4;
/** Elements per work item of kernels that walk over a whole tensor: see assembly/kernels/elements.ts. */
const ELEMENT_BLOCK = 1024;
/** Columns per work item of the gradients of vectors: see assembly/kernels/bias.ts. */
export const COLUMN_BLOCK = 16;

export const blocks = (count: number, size = ELEMENT_BLOCK): number => Math.ceil(count / size);

/** Where the rows of a value or of its gradient begin, and the elements between them. */
export interface Place {
  readonly at: Spot;
  readonly stride: number;
}

export const root = (x: Value): Value => (x.view ? root(x.view.of) : x);
/** Column of the root at which x begins. */
export const offsetOf = (x: Value): number => (x.view ? offsetOf(x.view.of) + x.view.offset : 0);
export const placeIn = (buffer: Buffer, x: Value): Place => ({ at: { buffer, offset: offsetOf(x) * F32_BYTES }, stride: rowStride(root(x).columns) });

/** Kernels of whole buffers of `rows` rows, and new buffers. */
export class Buffers {
  constructor(
    readonly program: Program,
    readonly rows: number,
  ) {}

  /** For a value of its own. Columns beyond the last are zeroed, because kernels read whole groups of 8. */
  take({ columns }: Value, zeroed = false): Buffer {
    const buffer = this.program.buffer(this.rows * rowStride(columns) * F32_BYTES);
    if (zeroed || columns % 8 !== 0) this.zero(buffer);
    return buffer;
  }

  private zero(buffer: Buffer): void {
    const count = buffer.bytes / F32_BYTES;
    this.program.call('zero_f32', [{ buffer, offset: 0 }, count], blocks(count));
  }

  /** to += from */
  addRows(to: Place, from: Place, columns: number): void {
    this.program.call('add_f32', [to.at, to.at, from.at, columns, to.stride, to.stride, from.stride], this.rows);
  }

  copy(value: Value, from: Buffer): Buffer {
    const copy = this.take(value, true);
    this.addRows(placeIn(copy, value), placeIn(from, value), value.columns);
    return copy;
  }
}
