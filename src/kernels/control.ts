import type { Kernels } from './instance.js';
import { SLOT_COUNT } from './steps.js';

/** Words of the control block that the threads share, in i32: see assembly/kernels/barrier.ts for the first two. */
export const CONTROL = { arrived: 0, phase: 1, run: 16, failed: 17, stop: 18, slots: 32 } as const;
export const CONTROL_BYTES = (CONTROL.slots + SLOT_COUNT) * 4;

/** Looks at the phase before sleeping: with fewer, threads fall asleep between steps (RUNTIMES.md, section 6). */
export const SPINS = 20_000;

export interface Control {
  readonly words: Int32Array;
  readonly slots: Uint32Array;
  readonly address: number;
}

export function controlAt(memory: WebAssembly.Memory, address: number): Control {
  return {
    words: new Int32Array(memory.buffer, address, CONTROL_BYTES / 4),
    slots: new Uint32Array(memory.buffer, address + CONTROL.slots * 4, SLOT_COUNT),
    address,
  };
}

/**
 * Waits until every thread has come to the barrier. `asleep` is called each time the wait has lasted another
 * `patienceMs`; it may throw to give up.
 */
export function meetAt(kernels: Kernels, control: Control, threads: number, canWait: boolean, patienceMs: number, asleep: () => void): void {
  const phase = kernels.exports.barrier(control.address, threads, SPINS);
  if (phase < 0) return;
  let since = performance.now();
  while (Atomics.load(control.words, CONTROL.phase) === phase) {
    if (canWait) Atomics.wait(control.words, CONTROL.phase, phase, patienceMs);
    if (performance.now() - since >= patienceMs) {
      asleep();
      since = performance.now();
    }
  }
}
