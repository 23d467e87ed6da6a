import type { KernelSet } from '../host/host.js';

/** A weight type: how files keep it, and what the plan must know of its kernels. */
export interface WeightType {
  /** Number in ggml's `enum ggml_type`, as GGUF files store it. */
  readonly id: number;
  /** Elements per block: rows are whole numbers of blocks. */
  readonly elements: number;
  /** Bytes per block. */
  readonly bytes: number;
  /** Where a block has numbers in f16: scales and minima. */
  readonly halves?: readonly number[];
  /** The set that has its kernels. */
  readonly set: KernelSet;
  /** There are kernels for activations quantised to int8 (`matmul_q8_*`). */
  readonly quantised?: true;
  /** Those want the split form of activations beside the plain one (`quantize_q8`, its argument `forms`). */
  readonly splitActivations?: true;
}

/**
 * The one list of weight types, by their ggml names in lower case (k-quants keep their capital K). From it scripts/build-wasm.mjs writes
 * the exports of each set of kernels; what assembly/weights/<type>.ts says is compared with it by tests/kernels/weight-types.test.ts.
 */
export const WEIGHT_TYPES = {
  f32: { id: 0, elements: 1, bytes: 4, set: 'floats' },
  f16: { id: 1, elements: 1, bytes: 2, halves: [0], set: 'floats' },
  bf16: { id: 30, elements: 1, bytes: 2, set: 'floats' },
  q8_0: { id: 8, elements: 32, bytes: 34, halves: [0], set: 'q0', quantised: true, splitActivations: true },
  q4_0: { id: 2, elements: 32, bytes: 18, halves: [0], set: 'q0', quantised: true },
  q4_1: { id: 3, elements: 32, bytes: 20, halves: [0, 2], set: 'q1', quantised: true },
  q5_0: { id: 6, elements: 32, bytes: 22, halves: [0], set: 'q0', quantised: true },
  q5_1: { id: 7, elements: 32, bytes: 24, halves: [0, 2], set: 'q1', quantised: true },
  q4_K: { id: 12, elements: 256, bytes: 144, halves: [0, 2], set: 'k', quantised: true },
  q5_K: { id: 13, elements: 256, bytes: 176, halves: [0, 2], set: 'k', quantised: true },
  q6_K: { id: 14, elements: 256, bytes: 210, halves: [208], set: 'q6', quantised: true },
} as const satisfies Record<string, WeightType>;

export type WeightTypeName = keyof typeof WEIGHT_TYPES;
