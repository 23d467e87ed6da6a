import { StonechatError } from '../errors.js';
import type { Engine } from './engine.js';
import { type Room, TokenGeneration } from './generation.js';
import { Queue } from './queue.js';
import { checkOptions } from './options.js';
import { checkPrompt } from './prompt.js';
import type { GenerateOptions, Generation, ScoreOptions, Session, Token } from './types.js';

/** A conversation with its own KV cache, whose memory is taken at the first generation. */
export function createSession(engine: Engine): Session {
  const { runner } = engine;
  const sequence = engine.sequences.open();
  const queue = new Queue();
  let disposed = false;
  const check = () => {
    if (!disposed) return;
    throw new StonechatError({ code: 'disposed', expected: 'a live session', found: 'one that was disposed', remedy: 'Load the model again, or make a new session of it.' });
  };
  const room: Room = { engine, sequence, queue, check };

  function generate(prompt: unknown, options?: GenerateOptions): Generation {
    check();
    return new TokenGeneration(room, checkPrompt(prompt, runner.vocabulary), checkOptions(options, runner.vocabulary));
  }

  async function* judge(prompt: unknown, options?: ScoreOptions): AsyncGenerator<Token, undefined> {
    check();
    const checked = checkPrompt(prompt, runner.vocabulary);
    const { score } = await import('./score.js');
    yield* score(room, checked, options);
  }

  function dispose(): void {
    disposed = true;
    sequence.release();
    queue.wake();
  }

  return { generate, score: judge, dispose, [Symbol.dispose]: dispose };
}
