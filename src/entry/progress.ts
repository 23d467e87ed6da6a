import type { Progress } from '../host/host.js';

type Listener = (progress: Progress) => void;

/**
 * One count of all that is loaded, however many files it comes from: `done` never falls. Where bytes are downloaded, it counts
 * those ('download'); weights are read as they come, and its last word is 'load', with all done. Else it counts weights ('load').
 */
export class LoadMeter {
  private readonly parts: { done: number; total: number }[] = [];
  private done = 0;
  private downloading = false;

  constructor(private readonly listener: Listener) {}

  /** Hears of the weights, and of a source that is no address. */
  readonly hear: Listener = this.part();

  /** Hears of one more source. */
  part(): Listener {
    const own = { done: 0, total: -1 };
    return (progress) => {
      if (progress.phase === 'load') return this.weigh(progress);
      if (!this.parts.includes(own)) this.parts.push(own);
      own.done = progress.done;
      own.total = progress.total;
      this.downloading = true;
      this.tell('download', sum(this.parts, ({ done }) => done), this.total);
    };
  }

  /** -1 while a part does not know its own. */
  private get total(): number {
    return this.parts.some(({ total }) => total < 0) ? -1 : sum(this.parts, ({ total }) => total);
  }

  private weigh({ done, total }: Progress): void {
    if (!this.downloading) return this.tell('load', done, total);
    if (done < total) return;
    const all = this.total < 0 ? this.done : this.total;
    this.tell('load', all, all);
  }

  private tell(phase: Progress['phase'], done: number, total: number): void {
    this.done = Math.max(this.done, done);
    this.listener({ phase, done: this.done, total });
  }
}

const sum = <T>(list: readonly T[], of: (item: T) => number): number => list.reduce((total, item) => total + of(item), 0);
