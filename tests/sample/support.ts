import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Arena } from '../../src/kernels/arena.js';
import { type Build, instantiateKernels, type Kernels } from '../../src/kernels/instance.js';
import { Candidates } from '../../src/sample/candidates.js';
import { Distribution } from '../../src/sample/distribution.js';
import type { SamplingOptions } from '../../src/sample/index.js';
import type { History } from '../../src/sample/types.js';

export const NEUTRAL: SamplingOptions = {
  temperature: 1, topK: 0, topP: 1, minP: 0, typicalP: 1,
  repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0, penaltyWindow: 64,
  logitBias: new Map(), samplers: undefined,
};

export const NO_HISTORY: History = { ids: new Int32Array(0), length: 0 };
export const historyOf = (ids: readonly number[]): History => ({ ids: Int32Array.from(ids), length: ids.length });

export function kernelsHere(build: Build = 'simd'): { kernels: Kernels; arena: Arena } {
  const file = fileURLToPath(new URL(`../../dist/wasm/core/${build}.wasm`, import.meta.url));
  const kernels = instantiateKernels(new WebAssembly.Module(readFileSync(file)), build);
  return { kernels, arena: new Arena(kernels.memory) };
}

/** Candidates over logits that tests set. */
export class Desk {
  readonly kernels: Kernels;
  readonly arena: Arena;
  readonly candidates: Candidates;
  readonly distribution: Distribution;
  readonly address: number;

  constructor(readonly vocabulary: number, build: Build = 'simd') {
    const { kernels, arena } = kernelsHere(build);
    this.kernels = kernels;
    this.arena = arena;
    this.address = arena.allocate(vocabulary * 4, 'logits');
    this.candidates = new Candidates(kernels, arena, vocabulary);
    this.distribution = new Distribution(kernels, arena, vocabulary);
  }

  set(logits: ArrayLike<number>): this {
    new Float32Array(this.kernels.memory.buffer, this.address, this.vocabulary).set(logits);
    return this;
  }

  /** Candidates filled with the logits. */
  with(logits: ArrayLike<number>): Candidates {
    this.set(logits).candidates.fill(this.address);
    return this.candidates;
  }
}

export const living = (candidates: Candidates): number[] => Array.from(candidates.ids.subarray(0, candidates.size));
