import type { Engine } from './engine.js';
import type { IdList } from './ids.js';
import type { Sequence } from './sequence.js';

/** What all readers of a prompt need. */
export interface Reading {
  readonly engine: Engine;
  readonly sequence: Sequence;
  /** Called after each piece: may throw. */
  readonly check: () => void;
  readonly report?: ((done: number) => void) | undefined;
}

/**
 * Evaluates what the sequence does not hold of `ids`, all but the last piece; pieces take the engine's time for one turn.
 * After each the event loop turns. Returns the last piece, at least one id: evaluate it with `sequence.append(piece, 'last')`
 * and use the logits before the next `await`.
 */
export async function prefill(reading: Reading, ids: IdList): Promise<Int32Array> {
  const start = begin(reading, ids, ids.length - 1);
  let done = start;
  while (ids.length - done > reading.engine.pace.tokens) done = await readPiece(reading, ids, start, done, ids.length - 1);
  return ids.view(done);
}

/** Evaluates what the sequence does not hold of the first `end` ids, without logits; it holds no others then. */
export async function readUpTo(reading: Reading, ids: IdList, end: number): Promise<void> {
  const start = begin(reading, ids, end);
  for (let done = start; done < end; ) done = await readPiece(reading, ids, start, done, end);
}

function begin({ sequence, report }: Reading, ids: IdList, most: number): number {
  const start = sequence.rewind(ids, most);
  report?.(start);
  return start;
}

/** Evaluates from `done` on, to a whole multiple of the piece's size after `start`, or to `end`. Returns how far it came. */
async function readPiece({ engine, sequence, check, report }: Reading, ids: IdList, start: number, done: number, end: number): Promise<number> {
  const { tokens } = engine.pace;
  const next = Math.min(end, done + tokens - ((done - start) % tokens));
  engine.pace.time(next - done, () => sequence.append(ids.view(done, next), 'none'));
  await engine.turn();
  report?.(next);
  check();
  return next;
}
