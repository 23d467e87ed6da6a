import { THREADS } from '../lanes';

/** Bytes between the words of two threads: on no line that another one writes, nor on that line's neighbour, which x86 fetches too. */
const APART: usize = 128;

/**
 * Where threads meet between two steps. Each has an i32 word of its own from `arrivals` on, in which it counts the
 * meetings that it came to; all others look at it. Returns -1 once everyone is here, or, after `spins` looks at one that
 * is missing, its number, to sleep on. `sleepers` holds how many do, so that nobody is woken in vain. The sleep itself
 * lives in JavaScript: Node 20's baseline compiler can hang in a loop that holds memory.atomic.wait32 (RUNTIMES.md,
 * section 6). Modules without threads are always complete.
 */
export function barrier(arrivals: usize, sleepers: usize, thread: i32, threads: i32, spins: i32): i32 {
  if (!THREADS) return -1;
  const own = arrivals + <usize>thread * APART;
  const meeting = atomic.load<i32>(own) + 1;
  atomic.store<i32>(own, meeting);
  if (atomic.load<i32>(sleepers) != 0) atomic.notify(own, threads);
  for (let other = 0; other < threads; ++other) {
    const word = arrivals + <usize>other * APART;
    // Who came to the next one already is ahead: the difference counts, also when the words wrap around.
    for (let looks = 0; atomic.load<i32>(word) - meeting < 0; ++looks) if (looks == spins) return other;
  }
  return -1;
}
