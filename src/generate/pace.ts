/** A run should take no longer: for so long timers and signals wait. */
const PIECE_MS = 50;
/** The kernels multiply so many rows at once: pieces are multiples of it, and smaller ones would cost more each. */
const STEP = 8;
/** Of the first piece, before anything was measured. */
const FIRST = 16;

/** How many tokens of prompts are read in one run, by the time that the last ones took. */
export class Pace {
  private perToken: number | undefined;
  /** Of a run without prompts. */
  private stepMs = 0;

  constructor(private readonly most: number) {}

  /** Where nobody waits for a token. */
  get tokens(): number {
    return this.within(PIECE_MS);
  }

  /** Beside others' next tokens, in `share` of the time that those take. */
  beside(share: number): number {
    return this.within(Math.min(PIECE_MS, share * this.stepMs));
  }

  /** Measures a run of so many next tokens, and of tokens of prompts. Where the clock stands still between I/O (workerd), pieces are as large as they may be. */
  time({ steps, tokens }: { steps: number; tokens: number }, work: () => void): void {
    const start = performance.now();
    work();
    const took = performance.now() - start;
    if (tokens === 0) this.stepMs = this.stepMs === 0 ? took : (this.stepMs + took) / 2;
    if (tokens < STEP) return;
    const now = Math.max(0, took - (steps > 0 ? this.stepMs : 0)) / tokens;
    this.perToken = this.perToken === undefined ? now : (this.perToken + now) / 2;
  }

  private within(ms: number): number {
    const { perToken, most } = this;
    const fitting = perToken === undefined ? FIRST : ms / perToken;
    return Math.max(1, Math.min(most, Math.max(STEP, Math.floor(fitting / STEP) * STEP)));
  }
}
