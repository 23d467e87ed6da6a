import type { KvCache, Runner } from '../run/types.js';
import { IdList } from './ids.js';

/** A KV cache that knows the ids whose keys and values it holds. Its memory is taken when first used. */
export class Sequence {
  private readonly held = new IdList();
  private cache: KvCache | undefined;

  constructor(private readonly runner: Runner) {}

  /** Forgets everything from the first id on that differs from `ids`, or from `most` on. Returns how many are kept. */
  rewind(ids: IdList, most: number): number {
    this.held.truncate(Math.min(this.held.commonPrefix(ids), most));
    if (this.cache) this.cache.length = this.held.length;
    return this.held.length;
  }

  /** Evaluates more ids, at most `runner.maxBatch`. Where that fails, the sequence is as before. */
  append(ids: Int32Array, logits: 'none' | 'last'): void {
    this.cache ??= this.runner.newCache();
    this.cache.length = this.held.length;
    this.runner.evaluate(this.cache, ids, { logits });
    this.held.append(ids);
  }

  release(): void {
    this.cache?.release();
    this.cache = undefined;
    this.held.truncate(0);
  }
}
