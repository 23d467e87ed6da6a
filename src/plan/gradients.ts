import { offsetOf, type Place, root, type Value } from '../graph/node.js';
import type { Buffer } from '../kernels/program.js';
import { placeIn } from './forward.js';

/** The gradient of one value while it is gathered, or of several whose gradients are the same. */
interface Held {
  readonly buffer: Buffer;
  /** Values that share it: only a sole owner may write. */
  owners: number;
  /** Offsets of the views written so far, where it was begun by one. */
  readonly views: Set<number>;
}

const held = (buffer: Buffer): Held => ({ buffer, owners: 1, views: new Set() });

export interface Target {
  readonly place: Place;
  /** Something is there already, to be added to. */
  readonly accumulate: boolean;
}

/** What new gradients are made with. */
export interface Buffers {
  take(value: Value, zeroed?: boolean): Buffer;
  copy(value: Value, from: Buffer): Buffer;
  addRows(to: Place, from: Place, x: Value): void;
}

/** Gradients of values, from the losses back to the embeddings: buffers shared where nothing is added, copied before a write where they are. */
export class Gradients {
  private readonly entries = new Map<number, Held>();

  constructor(private readonly buffers: Buffers) {}

  start(x: Value, buffer: Buffer): void {
    this.entries.set(x.id, held(buffer));
  }

  has(x: Value): boolean {
    return this.entries.has(root(x).id);
  }

  place(x: Value): Place {
    return placeIn(this.entries.get(root(x).id)!.buffer, x);
  }

  /** Where to write the gradient of x; `zeroed`: where it was nothing before, it is 0 now. */
  target(x: Value, zeroed = x.view !== undefined): Target {
    const entry = this.writable(root(x), zeroed);
    const first = entry.isNew || (x.view !== undefined && entry.own.views.size > 0 && !entry.own.views.has(offsetOf(x)));
    if (x.view) entry.own.views.add(offsetOf(x));
    return { place: written(placeIn(entry.own.buffer, x)), accumulate: !first };
  }

  /** The gradient of `from` also is, or is added to, that of x. */
  pass(from: Value, x: Value): void {
    const entry = this.entries.get(from.id)!;
    if (x.view || this.has(x)) return this.buffers.addRows(this.target(x).place, placeIn(entry.buffer, from), x);
    entry.owners++;
    this.entries.set(x.id, entry);
  }

  /** Makes x the sole owner of its gradient: from where it can be read, and where it is to be written (the same place if it can be). */
  rewrite(x: Value, keep: boolean): { from: Place; to: Place } {
    const from = this.place(x);
    const entry = this.entries.get(x.id)!;
    if (entry.owners > 1) {
      entry.owners--;
      this.entries.set(x.id, held(keep ? this.buffers.copy(x, entry.buffer) : this.buffers.take(x)));
    }
    return { from, to: written(this.place(x)) };
  }

  /** Nobody will ask for the gradient of x again. */
  release(x: Value): void {
    this.entries.get(x.id)!.owners--;
    this.entries.delete(x.id);
  }

  private writable(whole: Value, zeroed: boolean): { own: Held; isNew: boolean } {
    if (this.entries.has(whole.id)) {
      this.rewrite(whole, true);
      return { own: this.entries.get(whole.id)!, isNew: false };
    }
    const own = held(this.buffers.take(whole, zeroed));
    this.entries.set(whole.id, own);
    return { own, isNew: true };
  }
}

const written = ({ at, stride }: Place): Place => ({ at: { ...at, writes: true }, stride });
