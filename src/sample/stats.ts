import type { Arena } from '../kernels/arena.js';
import type { SamplingKernels } from './kernels.js';

const BYTES = 24;

/** Of a vector of logits; filled by `measure`. */
export class LogitStats {
  largest = 0;
  /** Log of the sum of exponentials: a logit minus this is a log-probability. NaN where the logits hold NaN or Infinity. */
  logsumexp = 0;
  /** Of the softmax, in nats. */
  entropy = 0;
  private readonly address: number;

  constructor(
    private readonly kernels: SamplingKernels,
    arena: Arena,
  ) {
    this.address = arena.allocate(BYTES, 'sampling');
  }

  /** n f32 logits at `logits`. */
  measure(logits: number, n: number): this {
    this.kernels.exports.logits_stats_f32(logits, n, this.address);
    const out = new Float64Array(this.kernels.memory.buffer, this.address, BYTES / 8);
    this.largest = out[0]!;
    this.logsumexp = out[1]!;
    this.entropy = out[2]!;
    return this;
  }
}
