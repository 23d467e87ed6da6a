import type { Host } from '../../src/host/host.js';
import type { ModelFile } from '../../src/files/types.js';
import { loadRunner, type RunnerOptions } from '../../src/run/load.js';
import { evaluate, type Runner } from '../../src/run/types.js';

export const ordinary = { threads: 1, kvCache: 'f32', activations: 'q8', build: 'simd' } as const;

/** With as many threads as asked for, whatever this machine has: see kernels/turnout.ts. */
export async function runnerFor(host: Host, file: ModelFile, options: Partial<RunnerOptions> = {}): Promise<Runner> {
  return (await loadRunner({ ...host, processors: 64 }, file, { ...ordinary, ...options })).runner;
}

/** Logits of every position, evaluated in chunks of the given sizes (the last repeats). */
export function allLogits(runner: Runner, ids: readonly number[], chunks: readonly number[] = [64]): Float32Array[] {
  const cache = runner.newSequence();
  const rows: Float32Array[] = [];
  for (let at = 0, i = 0; at < ids.length; i++) {
    const part = ids.slice(at, at + chunks[Math.min(i, chunks.length - 1)]!);
    evaluate(runner, cache, part, { logits: 'all' });
    part.forEach((_, row) => rows.push(runner.logits(row).slice()));
    at += part.length;
  }
  cache.release();
  return rows;
}

export const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);

export const bits = (x: Float32Array): Uint32Array => new Uint32Array(x.buffer, x.byteOffset, x.length);
