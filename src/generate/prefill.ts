import type { Engine } from './engine.js';
import type { IdList } from './ids.js';
import type { Sequence } from './sequence.js';

/**
 * Evaluates what the sequence does not hold of `ids`, all but the last piece; pieces have `maxBatch` ids at most. After
 * each the event loop turns, and `check` may throw. Returns the last piece, at least one id: evaluate it with
 * `sequence.append(piece, 'last')` and use the logits before the next `await`.
 */
export async function prefill(engine: Engine, sequence: Sequence, ids: IdList, check: () => void, report?: (done: number) => void): Promise<Int32Array> {
  const { maxBatch } = engine.runner;
  let done = sequence.rewind(ids, ids.length - 1);
  report?.(done);
  while (ids.length - done > maxBatch) {
    sequence.append(ids.view(done, done + maxBatch), 'none');
    done += maxBatch;
    await engine.turn();
    report?.(done);
    check();
  }
  return ids.view(done);
}
