import type { Arena } from '../kernels/arena.js';
import type { Kernels } from '../kernels/instance.js';

/** What one sequence of a model keeps from run to run (the KV cache). Owned by a Runner; `release` gives its memory back. */
export interface SequenceState {
  /** Tokens held: runs add to it, `keep` takes away. */
  readonly length: number;
  /** Tokens that there is memory for. */
  readonly capacity: number;
  /** Makes room for so many tokens in all, in memory that no fork shares from `length` on. @throws StonechatError `out-of-memory`; all is as before then. */
  reserve(tokens: number): void;
  /** Forgets all but the first `count` tokens, as far as the model can. Returns how many it kept: the next run continues from there. */
  keep(count: number): number;
  /** Another that holds the same, in the same memory until one of them goes on. */
  fork(): SequenceState;
  /** Addresses of what it holds, `pageBytes` of the runner each, for KEY_BLOCK tokens one after another. */
  readonly pages: readonly number[];
  release(): void;
}

/** Of which rows the logits are wanted. */
export type WantedRows = 'none' | 'last' | 'all';

/** Tokens of one sequence in a run. */
export interface Span {
  readonly sequence: SequenceState;
  readonly ids: ArrayLike<number>;
  readonly logits: WantedRows;
}

/** A loaded model: ids in, logits out. Synchronous; the caller splits prompts into pieces of at most `maxBatch`. */
export interface Runner {
  readonly kernels: Kernels;
  readonly threads: number;
  readonly vocabulary: number;
  /** Tokens that a sequence can hold at most. */
  readonly contextLength: number;
  /** Most tokens per run, of all its spans (64, so that an abort is honoured within 64 tokens of prefill). */
  readonly maxBatch: number;
  /** Bytes of each page of a sequence; 0 where sequences keep ids alone. */
  readonly pageBytes: number;
  /** Where other memory of this model is taken from. */
  readonly arena: Arena;
  /** A sequence that holds so many tokens, in pages that `fill` is to write. @throws StonechatError `out-of-memory`. */
  restoreSequence(tokens: number, fill: (pages: readonly number[]) => void): SequenceState;
  /** An empty sequence, with memory for so many tokens; it grows with what it holds. @throws StonechatError `out-of-memory`. */
  newSequence(tokens?: number): SequenceState;
  /**
   * Appends the ids of every span to its sequence; no sequence may be named twice. The logits that are wanted are then at
   * `logitsAddress`, span by span, row by row (`vocabulary` f32 values each), row i at logitsAddress + i * logitsStride.
   * The same bits come out however prompts are split into runs, and whatever other sequences run beside them.
   */
  run(spans: readonly Span[]): void;
  readonly logitsAddress: number;
  /** Bytes between rows of logits. */
  readonly logitsStride: number;
  /** A fresh view of row i (default 0). Valid until memory grows. */
  logits(row?: number): Float32Array;
  dispose(): void;
}

/** A run of one sequence. */
export function evaluate(runner: Runner, sequence: SequenceState, ids: ArrayLike<number>, { logits = 'last' }: { logits?: WantedRows } = {}): void {
  runner.run([{ sequence, ids, logits }]);
}
