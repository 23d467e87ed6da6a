import { StonechatError } from '../errors.js';
import { evaluate, type Runner, type SequenceState, type WantedRows } from '../run/types.js';
import { IdList } from './ids.js';

/** A KV cache that knows the ids whose keys and values it holds. Its memory is taken when first used, and grows with what it holds. */
export class Sequence {
  private readonly held = new IdList();
  private cache: SequenceState | undefined;
  /** The list that was compared last, as it was then, and how many of its ids are held: they need not be compared again. */
  private source: IdList | undefined;
  private version = 0;
  private same = 0;

  constructor(private readonly runner: Runner) {}

  /** Forgets everything from the first id on that differs from `ids`, or from `most` on. Returns how many are kept. */
  rewind(ids: IdList, most: number): number {
    const known = ids === this.source && ids.version === this.version ? this.same : 0;
    this.held.truncate(Math.min(this.held.commonPrefix(ids, known), most));
    this.cache?.keep(this.held.length);
    this.source = ids;
    this.version = ids.version;
    return (this.same = this.held.length);
  }

  /** Takes memory for so many tokens at once, as far as the context reaches. */
  expect(tokens: number): void {
    const most = Math.min(tokens, this.runner.contextLength);
    if (!this.cache || this.cache.capacity < most) this.take(most);
  }

  /** Evaluates more ids, at most `runner.maxBatch`. Where that fails, the sequence is as before. */
  append(ids: Int32Array, logits: WantedRows): void {
    const { length } = this.held;
    const cache = this.roomFor(length + ids.length);
    cache.keep(length);
    evaluate(this.runner, cache, ids, { logits });
    this.held.append(ids);
  }

  release(): void {
    this.cache?.release();
    this.cache = undefined;
    this.held.truncate(0);
    this.source = undefined;
  }

  /** A cache with room for so many tokens; for twice as many as it had, if there is memory. */
  private roomFor(tokens: number): SequenceState {
    const { cache } = this;
    if (cache && cache.capacity >= tokens) return cache;
    const easy = Math.max(tokens, 2 * (cache?.capacity ?? 0));
    try {
      return this.take(easy);
    } catch (error) {
      if (easy === tokens || !(error instanceof StonechatError && error.code === 'out-of-memory')) throw error;
      return this.take(tokens);
    }
  }

  private take(tokens: number): SequenceState {
    this.cache?.reserve(tokens);
    return (this.cache ??= this.runner.newSequence(tokens));
  }
}
