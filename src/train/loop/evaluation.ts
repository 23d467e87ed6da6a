import type { Tokenizer } from '../../text/types.js';
import type { Batch } from '../data/batches.js';
import type { TrainEngine } from './engine.js';

/** How well a model predicts text that it has not learnt from. */
export interface Evaluation {
  /** Nats per token. */
  readonly loss: number;
  readonly perplexity: number;
  /** Comparable between tokenizers. */
  readonly bitsPerByte: number;
  readonly tokens: number;
}

/** Bytes of text that each id stands for; special tokens stand for none. */
export const bytesById = (tokenizer: Tokenizer): Int32Array =>
  Int32Array.from({ length: tokenizer.size }, (_, id) => (tokenizer.isSpecial(id) ? 0 : tokenizer.bytes(id).length));

/** Every token counts the same, whatever batch it is in. */
export async function evaluateBatches(engine: Pick<TrainEngine, 'evaluate'>, batches: Iterable<Batch>, bytes: Int32Array, pause: () => Promise<void>): Promise<Evaluation> {
  let sum = 0;
  let tokens = 0;
  let length = 0;
  for (const batch of batches) {
    sum += engine.evaluate(batch);
    tokens += batch.count;
    for (const target of batch.targets) if (target >= 0) length += bytes[target]!;
    await pause();
  }
  const loss = sum / tokens;
  return { loss, perplexity: Math.exp(loss), bitsPerByte: sum / Math.LN2 / length, tokens };
}
