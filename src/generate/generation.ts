import { StonechatError } from '../errors.js';
import { HASH_START } from '../sample/distribution.js';
import { buildSampler, type Picker } from '../sample/index.js';
import { Xorshift64Star } from '../sample/random.js';
import { Answer } from './answer.js';
import { type Context, startContext } from './context.js';
import type { Engine } from './engine.js';
import type { Line } from './line.js';
import type { Settings } from './options.js';
import { prefill } from './prefill.js';
import { type CheckedPrompt, encodePrompt, isConversation } from './prompt.js';
import type { Sequence } from './sequence.js';
import type { Reading } from './prefill.js';
import { newSummary, TokenStream } from './stream.js';
import type { Summary, Token } from './types.js';

/** What a generation uses of its session. */
export interface Room {
  readonly engine: Engine;
  readonly sequence: Sequence;
  readonly line: Line;
  /** @throws StonechatError `disposed`. */
  check(): void;
}

/** @throws StonechatError `aborted`, with the signal's reason as cause, once the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw new StonechatError({
    code: 'aborted',
    expected: 'the generation to go on',
    found: 'an aborted signal',
    remedy: 'Its reason is in `cause`; the session can be used further.',
    cause: signal.reason,
  });
}

/** An answer has room for so many tokens from the start; later the cache grows. */
const ANSWER_TOKENS = 256;

const rate = (count: number, seconds: number): number => (seconds > 0 ? count / seconds : 0);

/** Prompt to stream; see Session.generate. Work is done when the consumer asks for a token, never ahead. */
export class TokenGeneration extends TokenStream {
  readonly summary: Summary;
  protected readonly tokens: AsyncGenerator<Token, undefined>;
  private pick!: Picker;
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
    this.tokens = this.run();
  }

  protected stop(): void {
    this.stopped = true;
    this.room.line.wake();
  }

  private async *run(): AsyncGenerator<Token, undefined> {
    const { room, settings, summary } = this;
    const place = room.line.join();
    try {
      await place.turn(settings.signal, this.check);
      await this.timed(() => this.begin());
      if (settings.maxTokens === 0) await this.timed(() => this.warm());
      while (summary.finish === undefined) {
        await place.turn(settings.signal, this.check);
        const token = await this.timed(() => this.step());
        place.rest();
        yield token;
      }
    } catch (error) {
      if (settings.signal?.aborted) summary.finish = 'aborted';
      throw error;
    } finally {
      place.leave();
    }
  }

  private readonly check = (): void => {
    throwIfAborted(this.settings.signal);
    if (this.stopped) throw new StonechatError({ code: 'aborted', expected: 'the stream to be read to its end', found: 'that it was cancelled', remedy: 'The session can be used further.' });
    this.room.check();
  };

  /** `report`: tells the caller how much of the prompt is done. */
  private reading(report?: (done: number) => void): Reading {
    const { engine, sequence } = this.room;
    return { engine, sequence, check: this.check, report };
  }

  private reporter(): (done: number) => void {
    const total = this.context.visible.length;
    return (done) => this.settings.onProgress?.({ phase: 'prefill', done, total });
  }

  /** Text to ids, if they fit; the sequence keeps what it may of them. */
  private async begin(): Promise<void> {
    const { room, settings, summary } = this;
    const { runner, tokenizer, renderChat } = room.engine;
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
    room.sequence.expect(visible.length + Math.min(settings.maxTokens ?? Infinity, ANSWER_TOKENS));
  }

  private async buildSampler(): Promise<Picker> {
    const { settings, room } = this;
    const { candidates, tokenizer } = room.engine;
    // A chunk of its own: most programs do without.
    const more = settings.more
      && (await import('../sample/more.js')).moreSamplers(settings.more, settings.temperature, tokenizer);
    return buildSampler(settings, candidates, new Xorshift64Star(settings.seed), more);
  }

  private noteForgotten(): void {
    const { summary, context } = this;
    summary.forgottenTokens = context.forgottenTokens;
    summary.forgottenMessages = context.forgottenMessages;
  }

  /** `maxTokens: 0`: the prompt goes into the cache, nothing comes out. */
  private async warm(): Promise<void> {
    const { room, context, summary } = this;
    const report = this.reporter();
    const last = await prefill(this.reading(report), context.visible);
    room.sequence.append(last, 'none');
    report(context.visible.length);
    summary.finish = 'length';
  }

  /** Evaluates what is new and draws a token. */
  private async step(): Promise<Token> {
    const { room, context, summary } = this;
    const { engine, sequence } = room;
    await engine.breathe();
    this.check();
    const report = summary.tokens === 0 ? this.reporter() : undefined;
    const last = await prefill(this.reading(report), context.visible);
    const done = context.visible.length;
    // All generations share one place for logits: nothing else may run between these two.
    engine.pace.time(last.length, () => sequence.append(last, 'last'));
    const token = this.draw();
    report?.(done);
    return this.accept(token);
  }

  /** Logits to a token, without its text. */
  private draw(): Token {
    const { settings, context, summary } = this;
    const { engine } = this.room;
    const { runner, distribution } = engine;
    const address = runner.logitsAddress;
    if (settings.hashLogits) {
      this.hash = distribution.hashLogits(address, this.hash);
      summary.logitsHash = this.hash.toString(16).padStart(16, '0');
    }
    const { logsumexp, entropy } = engine.measure();
    const id = this.pick(address, context.history);
    const logprob = runner.logits()[id]! - logsumexp;
    const top = engine.alternatives(settings.top, logsumexp);
    context.push(id);
    return { id, text: '', logprob, entropy, top };
  }

  /** What the token adds to the answer; makes room for the next where the context is full. */
  private async accept(token: Token): Promise<Token> {
    const { summary, context, answer, settings } = this;
    const accepted = answer.accept(token.id);
    let { text, finish } = accepted;
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
