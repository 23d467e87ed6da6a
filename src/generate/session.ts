import { StonechatError } from '../errors.js';
import type { ModelRuntime } from './model-runtime.js';
import { type Room, TokenGeneration } from './generation.js';
import { Queue } from './queue.js';
import { checkAppendOptions, checkOptions } from './options.js';
import { checkPrompt } from './prompt.js';
import type { AppendOptions, GenerateOptions, Generation, ScoreOptions, Session, Token } from './types.js';

/** A conversation with its own KV cache, whose memory is taken at the first generation. */
export function createSession(runtime: ModelRuntime, sequence = runtime.sequences.open()): Session {
  const { runner } = runtime;
  const queue = new Queue();
  let disposed = false;
  const check = () => {
    if (!disposed) return;
    throw new StonechatError({ code: 'disposed', expected: 'a live session', found: 'one that was disposed', remedy: 'Load the model again, or make a new session of it.' });
  };
  const room: Room = { runtime, sequence, queue, check };

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

  async function append(prompt: unknown, options?: AppendOptions): Promise<number> {
    await generate(prompt, { ...checkAppendOptions(options, runner.vocabulary), maxTokens: 0 }).text();
    return sequence.length;
  }

  function fork(): Session {
    check();
    return createSession(runtime, sequence.fork());
  }

  /** Between two generations, never within one. */
  async function save(): Promise<Uint8Array<ArrayBuffer>> {
    const ticket = queue.join();
    try {
      await ticket.turn(undefined, check);
      const { saveSequence } = await import('./saved.js');
      check();
      return saveSequence(runtime, sequence);
    } finally {
      ticket.leave();
    }
  }

  function dispose(): void {
    disposed = true;
    sequence.release();
    queue.wake();
  }

  return { generate, score: judge, append, fork, save, dispose, [Symbol.dispose]: dispose };
}
