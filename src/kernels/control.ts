import type { Kernels } from './instance.js';
import { SLOT_COUNT } from './steps.js';

/**
 * Words of the control block that the threads share, in i32: what all read and few write on lines apart, then a word for
 * each thread, `ARRIVAL_WORDS` from the next (assembly/kernels/barrier.ts).
 */
export const CONTROL = { sleepers: 0, run: 32, failed: 33, stop: 34, base: 35, slots: 64, arrivals: 96 } as const;
const ARRIVAL_WORDS = 32;
export const controlBytes = (threads: number): number => (CONTROL.arrivals + threads * ARRIVAL_WORDS) * 4;

/**
 * A thread looks for the others in the kernel, then, by the clock, here, then it sleeps. Engines look at very different speeds (V8 0.3 ns,
 * JavaScriptCore 5 ns), so looks in the kernel are counted when the pool starts: `lookingUs` of them. Shares of a step differ by
 * microseconds; whoever fell asleep at once would wake up later than most steps end. But who waits for a thread that has no processor
 * had better give it his own: once all looks were in vain, the next 256 meetings, about a token's, do without those by the clock.
 */
const LOOKING_US = 6;
const AWAKE_MS = { usual: 0.3, hasty: 0.02 };
const LOOKS_PER_CLOCK = 64;
const MEETINGS_IN_HASTE = 256;
/** Looks that the speed is measured by. */
const TRIAL_LOOKS = 20_000;

/**
 * The word `run` changes with every run; its low bits say how many threads take part. `base` holds the meetings so far: who did not
 * take part in all runs counts on from there.
 */
const COUNT_BITS = 10;
export const nextRun = (run: number, threads: number): number => ((((run >> COUNT_BITS) + 1) << COUNT_BITS) | threads);
export const threadsOf = (run: number): number => run & ((1 << COUNT_BITS) - 1);

export interface Control {
  readonly words: Int32Array;
  readonly slots: Uint32Array;
  readonly address: number;
}

export function controlAt(memory: WebAssembly.Memory, address: number, threads: number): Control {
  return {
    words: new Int32Array(memory.buffer, address, controlBytes(threads) / 4),
    slots: new Uint32Array(memory.buffer, address + CONTROL.slots * 4, SLOT_COUNT),
    address,
  };
}

/**
 * How a thread waits: looks in the kernel, meetings left at which it sleeps soon, whether it may sleep, and what is to be done after every
 * `patienceMs` of it; `overdue` may throw to give up. It is told how long this thread was awake to wait: a machine that slept meanwhile
 * counts for nothing.
 */
export interface Waiting {
  /** Of the present run. */
  threads: number;
  readonly looks: number;
  inHaste: number;
  /** Meetings at which it slept. */
  slept: number;
  readonly canWait: boolean;
  readonly patienceMs: number;
  overdue(waitedMs: number): void;
}

/** How many take part in the next run. Other threads may all have processors: no haste. */
export function takeCount(waiting: Waiting, threads: number): void {
  if (waiting.threads !== threads) waiting.inHaste = 0;
  waiting.threads = threads;
}

/** Looks that take LOOKING_US, while no thread uses the control block. */
export function measureLooks({ exports }: Kernels, { words, address }: Control): number {
  const look = (looks: number) => exports.barrier(address + CONTROL.arrivals * 4, address + CONTROL.sleepers * 4, 0, 2, looks);
  const start = performance.now();
  look(TRIAL_LOOKS);
  const took = performance.now() - start;
  words[arrivalOf(0)] = 0;
  return Math.min(TRIAL_LOOKS, Math.ceil((TRIAL_LOOKS * LOOKING_US) / 1000 / Math.max(took, 1e-3)));
}

/** Waits until every thread has come to the barrier. */
export function meetAt({ exports }: Kernels, control: Control, thread: number, waiting: Waiting): void {
  const { words, address } = control;
  const { threads } = waiting;
  const missing = exports.barrier(address + CONTROL.arrivals * 4, address + CONTROL.sleepers * 4, thread, threads, waiting.looks);
  if (missing < 0) return;
  const meeting = words[arrivalOf(thread)]!;
  const hasty = waiting.inHaste > 0;
  if (hasty) waiting.inHaste--;
  if (allCome(words, missing, threads, meeting, hasty ? AWAKE_MS.hasty : AWAKE_MS.usual)) return;
  if (!hasty) waiting.inHaste = MEETINGS_IN_HASTE;
  waiting.slept++;
  Atomics.add(words, CONTROL.sleepers, 1);
  for (let other = missing; other < threads; other++) sleepUntil(words, arrivalOf(other), meeting, waiting);
  Atomics.sub(words, CONTROL.sleepers, 1);
}

/** Looks for the threads from `missing` on until all have come, for so long at most. */
function allCome(words: Int32Array, missing: number, threads: number, meeting: number, awakeMs: number): boolean {
  const until = performance.now() + awakeMs;
  for (let other = missing; other < threads; other++) {
    for (let looks = 1; ((Atomics.load(words, arrivalOf(other)) - meeting) | 0) < 0; looks++) {
      if (looks % LOOKS_PER_CLOCK === 0 && performance.now() >= until) return false;
    }
  }
  return true;
}

export const arrivalOf = (thread: number): number => CONTROL.arrivals + thread * ARRIVAL_WORDS;

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
