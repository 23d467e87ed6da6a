import type { Arena } from '../kernels/arena.js';
import type { SamplingKernels } from './kernels.js';
import { LogitStats } from './stats.js';

const HASH_BYTES = 8;
/** FNV-1a, 64 bit: the offset basis. */
export const HASH_START = 0xcbf29ce484222325n;

/** What the model itself says, before any sampler: probabilities at temperature 1. One per model. */
export class Distribution {
  private readonly stats: LogitStats;
  private readonly hash: number;
  private readonly ids: number;
  private readonly values: number;

  constructor(
    private readonly kernels: SamplingKernels,
    arena: Arena,
    private readonly vocabulary: number,
  ) {
    this.stats = new LogitStats(kernels, arena);
    const reserve = (bytes: number) => arena.allocate(bytes, 'sampling');
    this.hash = reserve(HASH_BYTES);
    this.ids = reserve(vocabulary * 4);
    this.values = reserve(vocabulary * 4);
  }

  /** Statistics of the logits at `address`; overwritten by the next call. */
  measure(address: number): LogitStats {
    return this.stats.measure(address, this.vocabulary);
  }

  /** The `count` largest logits at `address`, descending, lower ids first among equals; views that the next call overwrites. */
  largest(address: number, count: number): { ids: Int32Array; logits: Float32Array } {
    const { memory, exports } = this.kernels;
    const found = exports.topk_f32(address, this.vocabulary, Math.min(count, this.vocabulary), this.ids, this.values);
    return { ids: new Int32Array(memory.buffer, this.ids, found), logits: new Float32Array(memory.buffer, this.values, found) };
  }

  /** FNV-1a (64 bit) over the bits of the logits at `address`, going on from `state`. */
  hashLogits(address: number, state: bigint): bigint {
    const { memory, exports } = this.kernels;
    new BigUint64Array(memory.buffer, this.hash, 1)[0] = state;
    exports.hash_words(this.hash, address, this.vocabulary);
    return new BigUint64Array(memory.buffer, this.hash, 1)[0]!;
  }
}
