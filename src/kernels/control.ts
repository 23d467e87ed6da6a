import type { Kernels } from './instance.js';
import { SLOT_COUNT } from './steps.js';

/**
 * Words of the control block that the threads share, in i32: what all read and few write on lines apart, then a word for
 * each thread, `ARRIVAL_WORDS` from the next (assembly/kernels/barrier.ts).
 */
export const CONTROL = { sleepers: 0, run: 32, failed: 33, stop: 34, slots: 64, arrivals: 96 } as const;
const ARRIVAL_WORDS = 32;
export const controlBytes = (threads: number): number => (CONTROL.arrivals + threads * ARRIVAL_WORDS) * 4;

/**
 * Looks at another thread before sleeping, 0.3 ns each: at most 0.3 ms. Shares of a step differ by microseconds (always at 20,000
 * looks, threads fell asleep between steps, and waking up takes longer than most steps). But who waits for a thread that has no
 * processor had better give it his own: once all looks were in vain, the next 256 meetings, about a token's, have few.
 */
const LOOKS = { few: 20_000, many: 1 << 20 };
const MEETINGS_WITH_FEW = 256;

export interface Control {
  readonly words: Int32Array;
  readonly slots: Uint32Array;
  readonly address: number;
  readonly threads: number;
}

export function controlAt(memory: WebAssembly.Memory, address: number, threads: number): Control {
  return {
    words: new Int32Array(memory.buffer, address, controlBytes(threads) / 4),
    slots: new Uint32Array(memory.buffer, address + CONTROL.slots * 4, SLOT_COUNT),
    address,
    threads,
  };
}

/**
 * How a thread waits: meetings for which it keeps to few looks, whether it may sleep, and what is to be done after every `patienceMs` of it; `overdue` may throw to give up.
 * It is told how long this thread was awake to wait: a machine that slept meanwhile counts for nothing.
 */
export interface Waiting {
  withFew: number;
  readonly canWait: boolean;
  readonly patienceMs: number;
  overdue(waitedMs: number): void;
}

/** Waits until every thread has come to the barrier. */
export function meetAt({ exports }: Kernels, control: Control, thread: number, waiting: Waiting): void {
  const { words, address, threads } = control;
  const looks = waiting.withFew > 0 ? LOOKS.few : LOOKS.many;
  if (waiting.withFew > 0) waiting.withFew--;
  const missing = exports.barrier(address + CONTROL.arrivals * 4, address + CONTROL.sleepers * 4, thread, threads, looks);
  if (missing < 0) return;
  if (looks === LOOKS.many) waiting.withFew = MEETINGS_WITH_FEW;
  const meeting = words[arrivalOf(thread)]!;
  Atomics.add(words, CONTROL.sleepers, 1);
  for (let other = missing; other < threads; other++) sleepUntil(words, arrivalOf(other), meeting, waiting);
  Atomics.sub(words, CONTROL.sleepers, 1);
}

const arrivalOf = (thread: number): number => CONTROL.arrivals + thread * ARRIVAL_WORDS;

/** Sleeps until the thread that counts in words[at] has come to `meeting`. */
function sleepUntil(words: Int32Array, at: number, meeting: number, { canWait, patienceMs, overdue }: Waiting): void {
  let next = performance.now() + patienceMs, waited = 0;
  for (let seen = Atomics.load(words, at); ((seen - meeting) | 0) < 0; seen = Atomics.load(words, at)) {
    if (canWait) Atomics.wait(words, at, seen, patienceMs);
    const now = performance.now();
    if (now < next) continue;
    overdue((waited += patienceMs));
    next = now + patienceMs;
  }
}
