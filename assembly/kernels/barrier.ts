import { THREADS } from '../lanes';

/**
 * Where threads meet between two steps. `address` holds two i32 words: how many have arrived, and the phase
 * (counted up each time all have). Returns -1 once everyone is here, or, after `spins` looks without success,
 * the phase to sleep on. The sleep itself lives in JavaScript: Node 20's baseline compiler can hang in a loop that
 * holds memory.atomic.wait32 (RUNTIMES.md, section 6). Modules without threads are always complete.
 */
export function barrier(address: usize, threads: i32, spins: i32): i32 {
  if (!THREADS) return -1;
  const phase = atomic.load<i32>(address, 4);
  if (atomic.add<i32>(address, 1) == threads - 1) {
    atomic.store<i32>(address, 0);
    atomic.store<i32>(address, (phase + 1) & 0x7fffffff, 4);
    atomic.notify(address + 4, threads);
    return -1;
  }
  for (let i = 0; i < spins; i++) {
    if (atomic.load<i32>(address, 4) != phase) return -1;
  }
  return phase;
}
