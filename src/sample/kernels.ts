/** What sampling needs of the kernels; `Kernels` of src/kernels satisfies it. Addresses are bytes, n elements. */
export interface SamplingExports {
  /** Index of the largest value, the lowest of equals. */
  argmax_f32(x: number, n: number): number;
  /** The `count` largest, descending, the lowest index first among equals: ids as i32, values as f32. Returns how many; NaN is left out. */
  topk_f32(x: number, n: number, count: number, outIds: number, outValues: number): number;
  /** out (f64[3]): maximum, log of the sum of exponentials, entropy in nats. */
  logits_stats_f32(x: number, n: number, out: number): void;
  /** y = softmax(x * inverseTemperature). */
  probabilities_f32(y: number, x: number, n: number, inverseTemperature: number): void;
  exp_f64(x: number): number;
  log_f64(x: number): number;
  /** FNV-1a (64 bit, state at `state`) over 32-bit words. */
  hash_words(state: number, x: number, words: number): void;
}

export interface SamplingKernels {
  readonly exports: SamplingExports;
  readonly memory: WebAssembly.Memory;
}
