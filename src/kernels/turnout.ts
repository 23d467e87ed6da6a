/**
 * How many of a pool's threads take part in a run. Threads without a processor of their own cost more than they bring: each step waits
 * for the last one, and a processor changes hands at every meeting. The results are the same for any number.
 *
 * It begins with as many as the host says that it has processors, which may be too many: WebKit says 4 on a machine of 2, and other
 * programs run too. Where threads are waited for in vain, half as many are tried, and kept if that is faster; from time to time one more
 * is tried, ever more rarely. Only runs of the same work are compared.
 */
export interface Ran {
  /** Tells work of one kind from another. */
  readonly work: number;
  readonly ms: number;
  /** The share of meetings at which the caller gave up looking for the others, and slept. */
  readonly inVain: number;
}

const IN_VAIN = 1 / 8;
/** Runs of a trial. Their mean is compared with the best of so many before: a noise only ever adds. */
const TRIAL_RUNS = 2;
const RUNS_BEFORE = 8;
/** What a trial must take of the time before, at most. */
const FASTER = { fewer: 0.85, more: 0.95 };
/** Runs until the next trial, at first and at most. Fewer threads may have won because of a noise: more are soon tried again. */
const PAUSE = { first: 8, most: 1024 };

type Way = 'fewer' | 'more';

interface Trial {
  readonly way: Way;
  readonly from: number;
  readonly ms: number;
}

export class Turnout {
  /** Threads of the next run. */
  count: number;
  private work = 0;
  private times: number[] = [];
  private vain = 0;
  private trial: Trial | undefined;
  private readonly pause = { fewer: PAUSE.first, more: PAUSE.first };
  private readonly left = { fewer: 0, more: PAUSE.first };
  /** More threads are twice as many and one more, by turns. */
  private doubles = true;

  constructor(private readonly threads: number, processors: number) {
    this.count = Math.max(1, Math.min(threads, processors));
  }

  /** Learns from a run. */
  add({ work, ms, inVain }: Ran): void {
    if (work !== this.work) this.begin(work);
    this.times.push(ms);
    this.vain = inVain >= IN_VAIN ? this.vain + 1 : 0;
    if (this.times.length < TRIAL_RUNS) return;
    if (this.times.length > RUNS_BEFORE) this.times.shift();
    if (this.trial) this.judge(this.trial, this.times.reduce((sum, time) => sum + time) / TRIAL_RUNS);
    else this.consider(Math.min(...this.times));
  }

  /** Other work cannot be compared with what was before. */
  private begin(work: number): void {
    this.work = work;
    if (this.trial) this.count = this.trial.from;
    this.trial = undefined;
    this.forget();
  }

  private forget(): void {
    this.times = [];
    this.vain = 0;
  }

  private consider(ms: number): void {
    const due = { fewer: --this.left.fewer <= 0, more: --this.left.more <= 0 };
    if (this.vain >= TRIAL_RUNS && this.count > 1 && due.fewer) this.try('fewer', ms);
    else if (this.count < this.threads && due.more) this.try('more', ms);
  }

  private try(way: Way, ms: number): void {
    this.trial = { way, from: this.count, ms };
    if (way === 'fewer') this.count = Math.ceil(this.count / 2);
    else this.count = Math.min(this.threads, this.doubles ? 2 * this.count : this.count + 1);
    this.forget();
  }

  private judge({ way, from, ms }: Trial, found: number): void {
    const better = found < ms * FASTER[way];
    // Too many still: one that has no processor makes all wait as long as many do.
    if (way === 'fewer' && !better && this.vain >= TRIAL_RUNS && this.count > 1) {
      this.count = Math.ceil(this.count / 2);
      return this.forget();
    }
    this.pause[way] = better ? PAUSE.first : Math.min(PAUSE.most, 2 * this.pause[way]);
    this.left[way] = better && way === 'fewer' ? 0 : this.pause[way];
    if (better && way === 'fewer') this.left.more = this.pause.more;
    if (way === 'more') this.doubles = better || !this.doubles;
    if (!better) this.count = from;
    this.trial = undefined;
    this.forget();
  }
}
