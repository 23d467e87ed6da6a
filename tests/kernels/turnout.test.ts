// The number of threads that take part, on simulated machines: how long a run takes there is a function of that number.
import { describe, expect, it } from 'vitest';
import { Turnout } from '../../src/kernels/turnout.js';

const RUNS = 400;
const MS = 12;

/** A run with so many threads: without a processor for each, every meeting waits; measured in Bun, 50 times as long. */
const runOn = (processors: number, loss: number) => (count: number) =>
  count <= processors ? { ms: MS / count, inVain: 0.01 } : { ms: (MS / processors) * loss, inVain: 0.6 };

type Machine = (count: number, run: number) => { ms: number; inVain: number };

/** All runs' time, and the counts. */
function simulate(turnout: Turnout, machine: Machine, work: (run: number) => number = () => 1): { ms: number; counts: number[] } {
  const counts: number[] = [];
  let ms = 0;
  for (let run = 0; run < RUNS; run++) {
    const ran = machine(turnout.count, run);
    counts.push(turnout.count);
    ms += ran.ms;
    turnout.add({ work: work(run), ...ran });
  }
  return { ms, counts };
}

describe('threads beyond the processors', () => {
  it.each([[2, 3], [2, 4], [2, 8], [1, 2], [1, 8], [4, 5], [4, 16], [12, 16]])('on %i processors, %i threads', (processors, threads) => {
    const { ms, counts } = simulate(new Turnout(threads, processors), runOn(processors, 3));
    expect(counts[0]).toBe(processors);
    expect(ms).toBeLessThan((1.2 * RUNS * MS) / processors);
  });

  it('that the host believes to have: fewer are tried as soon as all wait in vain, and kept', () => {
    for (const [processors, claimed] of [[2, 4], [2, 8], [1, 8], [4, 8]] as const) {
      const { ms, counts } = simulate(new Turnout(8, claimed), runOn(processors, 3));
      expect(counts.at(-1)).toBe(processors);
      expect(ms).toBeLessThan((1.3 * RUNS * MS) / processors);
    }
  });

  it('cost no more than twice the time where a look is slow, too', () => {
    const { ms } = simulate(new Turnout(4, 4), runOn(2, 8));
    expect(ms).toBeLessThan((2 * RUNS * MS) / 2);
  });
});

describe('threads with a processor each', () => {
  it('all take part in every run', () => {
    expect(new Set(simulate(new Turnout(4, 8), runOn(8, 3)).counts)).toEqual(new Set([4]));
  });

  it('stay when a short noise made them wait', () => {
    const noisy: Machine = (count, run) => (run % 40 < 2 ? { ms: 20, inVain: 0.5 } : runOn(4, 3)(count));
    const { counts } = simulate(new Turnout(4, 4), noisy);
    expect(counts.filter((count) => count === 4).length).toBeGreaterThan(0.9 * RUNS);
  });

  it('come back, one by one, when other programs have ended', () => {
    const machine: Machine = (count, run) => runOn(run < 20 ? 1 : 4, 3)(count);
    const { counts } = simulate(new Turnout(4, 4), machine);
    expect(counts[19]).toBe(1);
    expect(counts.at(-1)).toBe(4);
  });
});

it('runs of different work are not compared', () => {
  const { counts } = simulate(new Turnout(4, 4), (count, run) => ({ ms: run % 2 ? 1 : 100, inVain: count > 2 ? 0.6 : 0 }), (run) => run % 2);
  expect(new Set(counts)).toEqual(new Set([4]));
});
