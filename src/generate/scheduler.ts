import type { Runner, Span, WantedRows } from '../run/types.js';
import type { IdList } from './ids.js';
import type { Pace } from './pace.js';
import type { Sequence } from './sequence.js';

/** What a generation or a judgement asks for: its sequence read up to `end`. */
export interface Reading<T> {
  readonly sequence: Sequence;
  readonly ids: IdList;
  readonly end: number;
  /** Of the last id, of every id that is read, or of none. */
  readonly logits: WantedRows;
  /** Takes rows of logits, from `row` on, of the ids from `at` on. Nothing else has run since: they are everyone's. */
  readonly use: (row: number, at: number, count: number) => T;
  /** Called before each piece: may throw, which ends this reading and no other. */
  readonly check: () => void;
  readonly report?: ((done: number) => void) | undefined;
}

interface Pending extends Reading<unknown> {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  result: unknown;
}

/** A part of a reading that one run takes. */
interface Piece {
  readonly of: Pending;
  readonly at: number;
  readonly end: number;
}

/** How long a run may take that has prompts in it, in the time of one without: who only waits for a token waits so much longer. */
const SHARE = 1.5;

export interface SchedulerParts {
  readonly runner: Runner;
  readonly pace: Pace;
  /** Lets the event loop turn. */
  readonly turn: () => Promise<void>;
  /** Whether it has waited long enough. */
  readonly due: () => boolean;
}

/**
 * Reads for all generations of a model in common runs: the next token of everyone, then pieces of prompts. A run begins when all who had
 * a token in the last one have asked for the next, or after a turn of the event loop: whoever is busy elsewhere is not waited for.
 * Nothing is read ahead of what is asked for.
 */
export class Scheduler {
  private readonly pending = new Map<Sequence, Pending>();
  /** Those who had a result in the last run. */
  private readonly awaited = new Set<Sequence>();
  private running = false;

  constructor(private readonly parts: SchedulerParts) {}

  /** Tokens that a run takes where nobody waits for a token. */
  get pieceTokens(): number {
    return this.parts.pace.tokens;
  }

  /** Resolves with what `use` made of the last rows. One reading of a sequence at a time. */
  read<T>(reading: Reading<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.pending.set(reading.sequence, { ...reading, resolve: resolve as (result: unknown) => void, reject, result: undefined });
      this.awaited.delete(reading.sequence);
      if (!this.running) void this.drive();
    });
  }

  /** Its generation is over: nobody waits for it. */
  leave(sequence: Sequence): void {
    this.awaited.delete(sequence);
  }

  private async drive(): Promise<void> {
    this.running = true;
    if (this.awaited.size > 0 || this.parts.due()) await this.parts.turn();
    for (this.step(); this.pending.size > 0; this.step()) await this.parts.turn();
    this.running = false;
  }

  /** One run. */
  private step(): void {
    this.awaited.clear();
    const pieces = this.pieces().filter((piece) => this.prepare(piece));
    if (pieces.length === 0) return;
    const steps = pieces.filter(({ at, end }) => end - at === 1).length;
    const tokens = pieces.reduce((sum, { at, end }) => sum + end - at, 0) - steps;
    try {
      this.parts.pace.time({ steps, tokens }, () => this.parts.runner.run(pieces.map(spanOf)));
    } catch (error) {
      for (const { of } of pieces) this.end(of, () => of.reject(error));
      return;
    }
    let row = 0;
    for (const piece of pieces) row += this.finish(piece, row);
  }

  /** Decoding first, as far as a run reaches; then prompts, whoever has waited longest first. */
  private pieces(): Piece[] {
    const { runner, pace } = this.parts;
    const all = [...this.pending.values()].map((of) => ({ of, at: of.sequence.length }));
    const steps = all.filter(({ of, at }) => of.end - at === 1).slice(0, runner.maxBatch);
    const pieces: Piece[] = steps.map(({ of, at }) => ({ of, at, end: of.end }));
    let room = Math.min(runner.maxBatch - steps.length, steps.length ? pace.beside(SHARE) : pace.tokens);
    for (const { of, at } of all) {
      if (room < 1) break;
      if (of.end - at === 1) continue;
      const end = Math.min(of.end, at + room);
      pieces.push({ of, at, end });
      room -= end - at;
    }
    return pieces;
  }

  /** What may fail for one does so before the run. */
  private prepare({ of, at, end }: Piece): boolean {
    try {
      of.report?.(at);
      of.check();
      of.sequence.expect(end);
      return true;
    } catch (error) {
      this.end(of, () => of.reject(error));
      return false;
    }
  }

  /** Returns the rows of logits that it had. */
  private finish({ of, at, end }: Piece, row: number): number {
    const rows = rowsOf({ of, at, end });
    of.sequence.note(of.ids.view(at, end));
    try {
      if (rows > 0 || end === of.end) of.result = of.use(row, end - rows, rows);
      if (end < of.end) this.toTheEnd(of);
      else this.end(of, () => of.resolve(of.result));
    } catch (error) {
      this.end(of, () => of.reject(error));
    }
    return rows;
  }

  /** Others come first next time. */
  private toTheEnd(of: Pending): void {
    this.pending.delete(of.sequence);
    this.pending.set(of.sequence, of);
  }

  private end(of: Pending, settle: () => void): void {
    this.pending.delete(of.sequence);
    this.awaited.add(of.sequence);
    settle();
  }
}

const wanted = ({ of, end }: Piece): WantedRows => (of.logits === 'last' && end < of.end ? 'none' : of.logits);

function rowsOf(piece: Piece): number {
  const logits = wanted(piece);
  return logits === 'none' ? 0 : logits === 'last' ? 1 : piece.end - piece.at;
}

const spanOf = (piece: Piece): Span => ({ sequence: piece.of.sequence.state, ids: piece.of.ids.view(piece.at, piece.end), logits: wanted(piece) });
