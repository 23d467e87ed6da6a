import { StonechatError } from '../../errors.js';
import type { Arena } from '../../kernels/arena.js';
import type { Kernels } from '../../kernels/instance.js';
import type { Runner, SequenceState, Span } from '../../run/types.js';
import type { NgramModel } from './model.js';

/** Rows of logits begin at whole cache lines. */
const ALIGN = 64;
const MAX_BATCH = 64;

/** It keeps ids where others keep keys and values. */
class HeldIds implements SequenceState {
  ids: number[] = [];

  readonly pages = [];

  constructor(readonly capacity: number) {}

  get length(): number {
    return this.ids.length;
  }

  reserve(): void {}

  keep(count: number): number {
    return (this.ids.length = Math.max(0, Math.min(this.ids.length, count)));
  }

  fork(): SequenceState {
    const fork = new HeldIds(this.capacity);
    fork.ids = this.ids.slice();
    return fork;
  }

  release(): void {
    this.ids = [];
  }
}

/** Ids in, logarithms of probabilities out: an n-gram model in the place of a network. */
export class NgramRunner implements Runner {
  readonly threads = 1;
  readonly pageBytes = 0;
  readonly maxBatch = MAX_BATCH;
  readonly logitsStride: number;
  readonly logitsAddress: number;
  private readonly row: Float64Array;
  private disposed = false;

  constructor(
    private readonly model: NgramModel,
    readonly kernels: Kernels,
    readonly arena: Arena,
    readonly contextLength: number,
  ) {
    this.logitsStride = Math.ceil((model.vocabulary * 4) / ALIGN) * ALIGN;
    this.logitsAddress = arena.allocate(MAX_BATCH * this.logitsStride, 'the logits');
    this.row = new Float64Array(model.vocabulary);
  }

  get vocabulary(): number {
    return this.model.vocabulary;
  }

  newSequence(): SequenceState {
    return new HeldIds(this.contextLength);
  }

  /** Its sequences keep no pages: ids are read anew. */
  restoreSequence(): SequenceState {
    return this.newSequence();
  }

  run(spans: readonly Span[]): void {
    let row = 0;
    for (const { sequence, ids, logits } of spans) {
      this.check(sequence, ids);
      const held = (sequence as HeldIds).ids;
      for (let i = 0; i < ids.length; i++) {
        held.push(ids[i]!);
        if (logits === 'all' || (logits === 'last' && i === ids.length - 1)) this.write(held, row++);
      }
    }
  }

  logits(row = 0): Float32Array {
    return new Float32Array(this.kernels.memory.buffer, this.logitsAddress + row * this.logitsStride, this.vocabulary);
  }

  dispose(): void {
    this.disposed = true;
  }

  private write(held: readonly number[], row: number): void {
    const { model, kernels } = this;
    model.distribution(held.slice(Math.max(0, held.length - model.order + 1)), this.row);
    const { log_f64: log } = kernels.exports;
    this.logits(row).set(this.row.map((probability) => log(probability)));
  }

  private check({ length }: SequenceState, ids: ArrayLike<number>): void {
    if (this.disposed) throw new StonechatError({ code: 'disposed', expected: 'a live model', found: 'one that was disposed', remedy: 'Load it again.' });
    const room = Math.min(MAX_BATCH, this.contextLength - length);
    if (ids.length >= 1 && ids.length <= room) return;
    throw new StonechatError({
      code: ids.length > this.contextLength - length ? 'context-full' : 'bad-option',
      expected: `1 to ${room} ids (context of ${this.contextLength}, ${length} used)`, found: String(ids.length), remedy: 'Load with a larger contextLength, or shorten the prompt.',
    });
  }
}
