import { StonechatError } from '../errors.js';
import type { Runner, SequenceState } from '../run/types.js';
import { IdList } from './ids.js';

/** The sequences of a model. Where memory is short, those that nobody is busy with forget what they hold: the one that rested longest first. */
export class Sequences {
  private readonly all = new Set<Sequence>();

  constructor(readonly runner: Runner) {}

  open(): Sequence {
    const sequence = new Sequence(this);
    this.all.add(sequence);
    return sequence;
  }

  close(sequence: Sequence): void {
    this.all.delete(sequence);
  }

  /** The latest comes last. */
  touch(sequence: Sequence): void {
    if (this.all.delete(sequence)) this.all.add(sequence);
  }

  /** Makes room by forgetting; false if nobody can. */
  evict(): boolean {
    for (const sequence of this.all) {
      if (sequence.busy > 0 || sequence.length === 0) continue;
      sequence.forget();
      return true;
    }
    return false;
  }
}

/** What a session holds: ids, and the state that a model has after them. Its memory is taken when first used, and grows with what it holds. */
export class Sequence {
  /** Generations at work on it. */
  busy = 0;
  private held = new IdList();
  private own: SequenceState | undefined;
  /** The list that was compared last, as it was then, and how many of its ids are held: they need not be compared again. */
  private source: IdList | undefined;
  private version = 0;
  private same = 0;

  constructor(private readonly among: Sequences) {}

  get length(): number {
    return this.held.length;
  }

  /** What a run goes on from. */
  get state(): SequenceState {
    return (this.own ??= this.among.runner.newSequence());
  }

  /** Forgets everything from the first id on that differs from `ids`, or from `most` on. Returns how many are kept. */
  rewind(ids: IdList, most: number): number {
    const known = ids === this.source && ids.version === this.version ? this.same : 0;
    this.held.truncate(Math.min(this.held.commonPrefix(ids, known), most));
    if (this.own) this.held.truncate(this.own.keep(this.held.length));
    this.source = ids;
    this.version = ids.version;
    return (this.same = this.held.length);
  }

  /** Takes memory for so many tokens in all, as far as the context reaches. @throws StonechatError `out-of-memory` where there is none. */
  expect(tokens: number): void {
    const most = Math.min(tokens, this.among.runner.contextLength);
    this.among.touch(this);
    for (;;) {
      try {
        return this.own ? this.own.reserve(most) : void (this.own = this.among.runner.newSequence(most));
      } catch (error) {
        if (!(error instanceof StonechatError && error.code === 'out-of-memory' && this.among.evict())) throw error;
      }
    }
  }

  /** A run has added these. */
  note(ids: Int32Array): void {
    this.held.append(ids);
  }

  /** Another that holds the same, in the same memory until one of them goes on. */
  fork(): Sequence {
    const fork = this.among.open();
    fork.held.append(this.held.view());
    fork.own = this.own?.fork();
    return fork;
  }

  /** The ids that it holds: a view, valid until it goes on. */
  get ids(): Int32Array {
    return this.held.view();
  }

  /** Holds what was saved. Of nothing before. */
  adopt(ids: Int32Array, state: SequenceState): void {
    this.held.append(ids);
    this.own = state;
  }

  /** Gives its memory back: what comes next is read from the start. */
  forget(): void {
    this.own?.release();
    this.own = undefined;
    this.held.truncate(0);
    this.source = undefined;
  }

  release(): void {
    this.forget();
    this.among.close(this);
  }
}
