import { checkFits } from './context.js';
import type { Engine } from './engine.js';
import { throwIfAborted } from './generation.js';
import { checkOptions } from './options.js';
import { checkPrompt, encodePrompt } from './prompt.js';
import type { ScoreOptions, Token } from './types.js';

/** Logits of this many values at most are kept at once: 16 MiB. */
const MOST_LOGITS = 4 << 20;

/**
 * What the model thought before each token of a text: every token after the first, with the probability it had. On a KV
 * cache of its own; sessions are not touched.
 */
export async function* score(engine: Engine, prompt: unknown, options: ScoreOptions = {}): AsyncGenerator<Token, undefined> {
  const { runner, tokenizer, renderChat } = engine;
  const settings = checkOptions(options, runner.vocabulary);
  const ids = await encodePrompt(checkPrompt(prompt, runner.vocabulary), tokenizer, renderChat, settings);
  checkFits(ids.length, undefined, runner.contextLength);
  const piece = Math.max(1, Math.min(runner.maxBatch, Math.floor(MOST_LOGITS / runner.vocabulary)));
  const cache = runner.newCache();
  try {
    for (let at = 0; at < ids.length - 1; at += piece) {
      throwIfAborted(settings.signal);
      const end = Math.min(at + piece, ids.length - 1);
      runner.evaluate(cache, ids.subarray(at, end), { logits: 'all' });
      // Read before anything else may run: the logits are everyone's.
      const tokens = Array.from(ids.subarray(at + 1, end + 1), (id, row) => engine.tokenAt(row, id, settings.top));
      await engine.breathe();
      yield* tokens;
    }
  } finally {
    cache.release();
  }
}
