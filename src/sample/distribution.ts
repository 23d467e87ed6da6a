import type { Arena } from '../kernels/arena.js';
import type { SamplingKernels } from './kernels.js';

const STATS_BYTES = 24;
const HASH_BYTES = 8;
/** FNV-1a, 64 bit: the offset basis. */
const HASH_START = 0xcbf29ce484222325n;

/** What the model itself says, before any sampler: probabilities at temperature 1. One per model. */
export class Distribution {
  private readonly stats: number;
  private readonly ids: number;
  private readonly values: number;
  private readonly hash: number;
  logsumexp = 0;
  /** In nats. */
  entropy = 0;

  constructor(
    private readonly kernels: SamplingKernels,
    arena: Arena,
    private readonly vocabulary: number,
  ) {
    const reserve = (bytes: number) => arena.allocate(bytes, 'sampling');
    this.stats = reserve(STATS_BYTES);
    this.hash = reserve(HASH_BYTES);
    this.ids = reserve(vocabulary * 4);
    this.values = reserve(vocabulary * 4);
  }

  /** Measures the f32 logits at `address`. */
  measure(address: number): this {
    this.kernels.exports.logits_stats_f32(address, this.vocabulary, this.stats);
    const [, logsumexp, entropy] = new Float64Array(this.kernels.memory.buffer, this.stats, STATS_BYTES / 8);
    this.logsumexp = logsumexp!;
    this.entropy = entropy!;
    return this;
  }

  /** The `count` largest logits at `address`, descending: views that the next call overwrites. */
  largest(address: number, count: number): { ids: Int32Array; logits: Float32Array } {
    const { memory, exports } = this.kernels;
    exports.topk_f32(address, this.vocabulary, count, this.ids, this.values);
    return { ids: new Int32Array(memory.buffer, this.ids, count), logits: new Float32Array(memory.buffer, this.values, count) };
  }

  /** FNV-1a (64 bit) over the 32-bit words at `address`, going on from `state`. */
  hashLogits(address: number, state = HASH_START): bigint {
    const { memory, exports } = this.kernels;
    const words = () => new BigUint64Array(memory.buffer, this.hash, 1);
    words()[0] = state;
    exports.hash_words(this.hash, address, this.vocabulary);
    return words()[0]!;
  }
}
