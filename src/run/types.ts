import type { Kernels } from '../kernels/instance.js';

/** The keys and values of one sequence. Owned by a Runner; `release` gives its memory back. */
export interface KvCache {
  /** Tokens held. Lowering it forgets the tail; the next evaluate continues from here. */
  length: number;
  /** Tokens that there is memory for. */
  readonly capacity: number;
  /** Makes room for so many tokens in all; what is held moves along. @throws StonechatError `out-of-memory`; the cache is as before then. */
  reserve(tokens: number): void;
  release(): void;
}

/** A loaded model: ids in, logits out. Synchronous; the caller splits prompts into chunks of at most `maxBatch`. */
export interface Runner {
  readonly kernels: Kernels;
  readonly threads: number;
  readonly vocabulary: number;
  /** Tokens that a cache can hold at most. */
  readonly contextLength: number;
  /** Most tokens per evaluate call (64, so that an abort is honoured within 64 tokens of prefill). */
  readonly maxBatch: number;
  /** A cache with memory for so many tokens, by default for all that the context holds. @throws StonechatError `out-of-memory`. */
  newCache(tokens?: number): KvCache;
  /**
   * Appends `ids` to the cache. With `logits: 'last'` the logits of the last id are then at `logitsAddress`
   * (`vocabulary` f32 values); with 'all' those of every id, row i at logitsAddress + i * logitsStride; 'none' computes none.
   * The same bits come out however a prompt is split into calls.
   */
  evaluate(cache: KvCache, ids: ArrayLike<number>, options?: { logits?: 'last' | 'all' | 'none' }): void;
  readonly logitsAddress: number;
  /** Bytes between rows of logits. */
  readonly logitsStride: number;
  /** A fresh view of row i (default 0). Valid until memory grows. */
  logits(row?: number): Float32Array;
  dispose(): void;
}
