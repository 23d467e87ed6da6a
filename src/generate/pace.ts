/** A piece of a prompt should take no longer: for so long timers and signals wait. */
const PIECE_MS = 50;
/** The kernels multiply so many rows at once: pieces are multiples of it, and smaller ones would cost more each. */
const STEP = 8;
/** Of the first piece, before anything was measured. */
const FIRST = 16;

/** How many tokens of a prompt are read at once, by the time that the last ones took. */
export class Pace {
  private perToken: number | undefined;

  constructor(private readonly most: number) {}

  get tokens(): number {
    const { perToken, most } = this;
    const fitting = perToken === undefined ? FIRST : PIECE_MS / perToken;
    return Math.max(1, Math.min(most, Math.max(STEP, Math.floor(fitting / STEP) * STEP)));
  }

  /** Measures the work on so many tokens. Where the clock stands still between I/O (workerd), pieces are as large as they may be. */
  time(tokens: number, work: () => void): void {
    const start = performance.now();
    work();
    if (tokens < STEP) return;
    const now = (performance.now() - start) / tokens;
    this.perToken = this.perToken === undefined ? now : (this.perToken + now) / 2;
  }
}
