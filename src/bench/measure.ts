import { Bench } from 'tinybench';
import type { Subject } from './subject.js';

/** How long and how often things are timed. */
export interface Pace {
  readonly rounds: number;
  /** Of one thing in one round. */
  readonly milliseconds: number;
  /** Before the first round: engines compile hot code anew after a while. */
  readonly warmup: number;
}

export const FULL_PACE: Pace = { rounds: 7, milliseconds: 10, warmup: 100 };
export const QUICK_PACE: Pace = { rounds: 3, milliseconds: 1, warmup: 0 };
/** What takes longer than this is timed in three rounds only. */
const SLOW_SECONDS = 0.5;
const SLOW_ROUNDS = 3;

/** Clocks of pages tick in steps of up to 0.1 ms. */
const TICK_SECONDS = 0.001;

/** Median seconds of one call, over as many calls as `milliseconds` take. */
export function secondsOf(call: () => void, milliseconds: number, repeat = 1): number {
  const bench = new Bench({ iterations: 1, time: milliseconds, warmup: false, throws: true });
  const several = () => {
    for (let i = 0; i < repeat; i++) call();
  };
  bench.add('call', several, { async: false });
  bench.runSync();
  const { result } = bench.tasks[0]!;
  if (result.state !== 'completed') throw new Error(`tinybench: ${result.state}`);
  return result.latency.p50 / 1000 / repeat;
}

/** Calls until it takes no less time, and returns how often it must be called to be longer than the clock's step. */
function warm(call: () => void, milliseconds: number): { repeat: number; slow: boolean } {
  const seconds = secondsOf(call, milliseconds);
  return { repeat: seconds > 0 ? Math.max(1, Math.ceil(TICK_SECONDS / seconds)) : 1000, slow: seconds > SLOW_SECONDS };
}

/** Rates round by round: of the subject, and of the limit right after it. Infinity where a page's clock did not move. */
export interface Rates {
  /** Calls a second. */
  readonly calls: number[];
  /** Operations or bytes a second. */
  readonly limit: number[];
}

interface Timed {
  readonly call: () => void;
  readonly repeat: number;
  readonly work: number;
  readonly rates: number[];
}

/** Times the subjects in turn, round by round, so that whatever disturbs the machine disturbs all of them. */
export async function measure(subjects: readonly Subject[], pace: Pace, pause: () => Promise<void>): Promise<Rates[]> {
  let rounds = pace.rounds;
  const timed = (call: () => void, work: number): Timed => {
    const { repeat, slow } = warm(call, pace.warmup);
    if (slow) rounds = Math.min(rounds, SLOW_ROUNDS);
    return { call, repeat, work, rates: [] };
  };
  const all = subjects.map(({ run, limit }) => [timed(run, 1), ...(limit ? [timed(limit.run, limit.work)] : [])]);
  for (let round = 0; round < rounds; round++) {
    for (const { call, repeat, work, rates } of all.flat()) rates.push(work / secondsOf(call, pace.milliseconds, repeat));
    await pause();
  }
  return all.map(([own, limit]) => ({ calls: own!.rates, limit: limit?.rates ?? [] }));
}
