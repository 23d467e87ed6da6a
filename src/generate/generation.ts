import { aborted, StonechatError } from '../errors.js';
import { HASH_START } from '../sample/distribution.js';
import type { Mask } from '../sample/constraint.js';
import { buildSampler, type Constraint, type Picker } from '../sample/index.js';
import { Xorshift64Star } from '../sample/random.js';
import { Answer } from './answer.js';
import { type Context, startContext } from './context.js';
import type { ModelRuntime } from './model-runtime.js';
import { forked, type Settings } from './options.js';
import { type CheckedPrompt, encodePrompt, isConversation } from './prompt.js';
import type { Queue } from './queue.js';
import type { Sequence } from './sequence.js';
import { newSummary, TokenStream } from './stream.js';
import type { Finish, Summary, Token } from './types.js';

/** What a generation uses of its session. */
export interface Room {
  readonly runtime: ModelRuntime;
  readonly sequence: Sequence;
  readonly queue: Queue;
  /** @throws StonechatError `disposed`. */
  check(): void;
}

/** @throws StonechatError `aborted`, with the signal's reason as cause, once the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted(signal, 'the generation to go on', 'Its reason is in `cause`; the session can be used further.');
}

const rate = (count: number, seconds: number): number => (seconds > 0 ? count / seconds : 0);

/** What the constraint says to a token that was chosen, or is judged, by the logits of its latest mask. */
export function constrained(token: Token, mask: Mask, { candidates }: ModelRuntime, logsumexp: number): Token {
  for (const alternative of token.top) alternative.allowed = mask.allows(alternative.id);
  mask.accept(token.id);
  return { ...token, allowed: mask.share(candidates, logsumexp) };
}

/** Prompt to stream; see Session.generate. Work is done when the consumer asks for a token, never ahead. */
export class TokenGeneration extends TokenStream {
  readonly summary: Summary;
  private readonly constraint: Constraint | undefined;
  protected readonly tokens: AsyncGenerator<Token, undefined>;
  private pick!: Picker;
  private mask: Mask | undefined;
  private context!: Context;
  private answer!: Answer;
  private hash = HASH_START;
  /** Tokens of the prompt that are not in the cache. */
  private unread = 0;
  private stopped = false;

  constructor(
    private readonly room: Room,
    private readonly prompt: CheckedPrompt,
    private readonly settings: Settings,
  ) {
    super();
    this.summary = newSummary(settings.seed);
    this.constraint = forked(settings.constraint);
    this.tokens = this.run();
  }

  protected stop(): void {
    this.stopped = true;
    this.room.queue.wake();
  }

  private async *run(): AsyncGenerator<Token, undefined> {
    const { room, settings, summary } = this;
    const ticket = room.queue.join();
    room.sequence.busy++;
    try {
      await ticket.turn(settings.signal, this.check);
      await this.timed(() => this.begin());
      if (settings.maxTokens === 0) await this.timed(() => this.warm('length'));
      else if (this.mask?.done) await this.timed(() => this.warm('constraint'));
      while (summary.finish === undefined) {
        await ticket.turn(settings.signal, this.check);
        const token = await this.timed(() => this.step());
        ticket.rest();
        yield token;
      }
    } catch (error) {
      if (settings.signal?.aborted) summary.finish = 'aborted';
      throw error;
    } finally {
      ticket.leave();
      room.sequence.busy--;
      room.runtime.scheduler.leave(room.sequence);
    }
  }

  private readonly check = (): void => {
    throwIfAborted(this.settings.signal);
    if (this.stopped) throw new StonechatError({ code: 'aborted', expected: 'the stream to be read to its end', found: 'that it was cancelled', remedy: 'The session can be used further.' });
    this.room.check();
  };

  private reporter(): (done: number) => void {
    const total = this.context.visible.length;
    return (done) => this.settings.onProgress?.({ phase: 'prefill', done, total });
  }

  /** Text to ids, if they fit; the sequence keeps what it may of them. */
  private async begin(): Promise<void> {
    const { room, settings, summary } = this;
    const { runner, tokenizer, renderChat } = room.runtime;
    const encode = (given: CheckedPrompt) => encodePrompt(given, tokenizer, renderChat, settings);
    const prompt = await encode(this.prompt);
    this.check();
    summary.promptTokens = prompt.length;
    // A chunk of its own: most programs never slide.
    const mayForget = isConversation(this.prompt) && settings.overflow === 'slide';
    const turns = mayForget ? new (await import('./turns.js')).Turns(this.prompt, prompt, encode) : undefined;
    this.context = await startContext(prompt, settings, runner.contextLength, tokenizer.bos, turns);
    this.check();
    this.noteForgotten();
    this.answer = new Answer(tokenizer, settings, prompt);
    this.pick = await this.buildSampler();
    const { visible } = this.context;
    summary.reusedTokens = room.sequence.rewind(visible, settings.reusePrefix ? visible.length - 1 : 0);
    this.unread = visible.length - summary.reusedTokens;
    room.sequence.expect(visible.length);
  }

  private async buildSampler(): Promise<Picker> {
    const { settings, room, constraint } = this;
    const { candidates, tokenizer } = room.runtime;
    // Chunks of their own: most programs do without.
    this.mask = constraint && new (await import('../sample/constraint.js')).Mask(constraint, candidates.vocabulary);
    const more = settings.more
      && (await import('../sample/more.js')).moreSamplers(settings.more, settings.temperature, tokenizer);
    return buildSampler(settings, candidates, new Xorshift64Star(settings.seed), more, this.mask?.sampler);
  }

  private noteForgotten(): void {
    const { summary, context } = this;
    summary.forgottenTokens = context.forgottenTokens;
    summary.forgottenMessages = context.forgottenMessages;
  }

  /** The prompt goes into the cache, nothing comes out. */
  private async warm(finish: Finish): Promise<void> {
    const report = this.reporter();
    await this.read('none', () => {}, report);
    report(this.context.visible.length);
    this.summary.finish = finish;
  }

  /** Evaluates what is new and draws a token. */
  private async step(): Promise<Token> {
    const report = this.summary.tokens === 0 ? this.reporter() : undefined;
    const done = this.context.visible.length;
    const token = await this.read('last', (row) => this.draw(row), report);
    report?.(done);
    return this.accept(token);
  }

  /** Reads what the sequence does not hold of the context: at least its last id. */
  private read<T>(logits: 'none' | 'last', use: (row: number) => T, report: ((done: number) => void) | undefined): Promise<T> {
    const { sequence, runtime } = this.room;
    const { visible: ids } = this.context;
    sequence.rewind(ids, ids.length - 1);
    return runtime.scheduler.read({ sequence, ids, end: ids.length, logits, use, check: this.check, report });
  }

  /** Logits to a token, without its text. */
  private draw(row: number): Token {
    const { settings, context, summary } = this;
    const { runtime } = this.room;
    const { runner, distribution } = runtime;
    const address = runtime.rowAt(row);
    if (settings.hashLogits) {
      this.hash = distribution.hashLogits(address, this.hash);
      summary.logitsHash = this.hash.toString(16).padStart(16, '0');
    }
    const { logsumexp, entropy } = runtime.measure(row);
    const id = this.pick(address, context.history);
    const logprob = runner.logits(row)[id]! - logsumexp;
    const top = runtime.alternatives(settings.top, logsumexp, row);
    context.push(id);
    const token = { id, text: '', logprob, entropy, top };
    return this.mask ? constrained(token, this.mask, runtime, logsumexp) : token;
  }

  /** What the token adds to the answer; makes room for the next where the context is full. */
  private async accept(token: Token): Promise<Token> {
    const { summary, context, answer, settings } = this;
    const accepted = answer.accept(token.id);
    let { text, finish } = accepted;
    if (this.mask?.done && (!finish || finish === 'length')) {
      if (!finish) text += answer.rest();
      finish = 'constraint';
    }
    if (!finish && context.overfull && !(settings.overflow === 'slide' && (await context.slide()))) {
      finish = 'context';
      text += answer.rest();
    }
    this.noteForgotten();
    summary.tokens++;
    summary.text += text;
    summary.finish = finish;
    return finish ? { ...token, text, finish } : { ...token, text };
  }

  /** Adds the time of `work` to the prefill, up to the first token, or to the decoding. */
  private async timed<T>(work: () => Promise<T>): Promise<T> {
    const { summary } = this;
    const before = summary.tokens;
    const start = performance.now();
    const result = await work();
    const seconds = (performance.now() - start) / 1000;
    if (before === 0) {
      summary.prefillSeconds += seconds;
      summary.prefillTokensPerSecond = rate(this.unread, summary.prefillSeconds);
    } else {
      summary.decodeSeconds += seconds;
      summary.decodeTokensPerSecond = rate(summary.tokens - 1, summary.decodeSeconds);
    }
    return result;
  }
}
