import { StonechatError } from '../errors.js';
import { IdList } from './ids.js';
import type { Settings } from './options.js';
import type { Turns } from './turns.js';

/** @throws StonechatError `context-full` if a prompt of so many tokens and its answer cannot fit. */
export function checkFits(promptTokens: number, maxTokens: number | undefined, contextLength: number): void {
  // The last token of an answer is never evaluated, so it needs no room.
  const room = contextLength - promptTokens + 1;
  if (room >= Math.max(1, maxTokens ?? 1)) return;
  const tooLong = room < 1;
  throw new StonechatError({
    code: 'context-full',
    expected: tooLong ? `a prompt of at most ${contextLength} tokens` : `maxTokens of at most ${room} (context of ${contextLength} tokens, prompt of ${promptTokens})`,
    found: tooLong ? `${promptTokens} tokens` : String(maxTokens),
    remedy: `${tooLong ? 'Shorten the prompt' : 'Ask for fewer tokens'}, load the model with a larger contextLength, or set overflow to "slide".`,
  });
}

/** The ids of one generation. */
export class Context {
  /** Those that the model sees: all of them, until the context was full. */
  readonly visible = new IdList();
  /** All of them, for the penalties. */
  readonly history = new IdList();
  /** What the model no longer sees: messages are counted where whole turns are forgotten. */
  forgottenTokens = 0;
  forgottenMessages = 0;
  private readonly promptTokens: number;

  /** `turns`: of a conversation that may forget the oldest. */
  constructor(
    prompt: Int32Array,
    private readonly length: number,
    private readonly bos: number | undefined,
    private readonly turns?: Turns,
  ) {
    this.promptTokens = prompt.length;
    this.append(prompt);
  }

  private append(ids: ArrayLike<number>): void {
    this.visible.append(ids);
    this.history.append(ids);
  }

  push(id: number): void {
    this.visible.push(id);
    this.history.push(id);
  }

  /** More ids than the model can see: `slide`, or end. */
  get overfull(): boolean {
    return this.visible.length > this.length;
  }

  /** Where overfull, forgets what is oldest; false if nothing may be forgotten. */
  async slide(): Promise<boolean> {
    if (!this.overfull) return true;
    if (this.turns) return this.forgetTurns(this.turns);
    this.forgetHalf();
    return true;
  }

  private async forgetTurns(turns: Turns): Promise<boolean> {
    const { history, visible, promptTokens } = this;
    const kept = await turns.fitting(history.length - promptTokens, this.length);
    if (!kept) return false;
    visible.truncate(0);
    visible.append(kept.ids);
    visible.append(history.view(promptTokens));
    this.forgottenTokens = promptTokens - kept.ids.length;
    this.forgottenMessages = kept.messages;
    return true;
  }

  /** The oldest half of what is visible, but for BOS, without which models lose their footing. */
  private forgetHalf(): void {
    const { visible, length, bos } = this;
    const keep = length > 1 && visible.ids[0] === bos ? 1 : 0;
    const newest = Math.max(1, Math.floor((length - keep) / 2));
    const tail = visible.view(visible.length - newest).slice();
    this.forgottenTokens += visible.length - keep - newest;
    visible.truncate(keep);
    visible.append(tail);
  }
}

/** The prompt as a context, shortened where it may be. @throws StonechatError `context-full`. */
export async function startContext(prompt: Int32Array, settings: Settings, contextLength: number, bos: number | undefined, turns?: Turns): Promise<Context> {
  if (settings.overflow === 'error') checkFits(prompt.length, settings.maxTokens, contextLength);
  const context = new Context(prompt, contextLength, bos, turns);
  if (await context.slide()) return context;
  throw new StonechatError({
    code: 'context-full',
    expected: `a last message that fits with the system's into a context of ${contextLength} tokens`,
    found: `a conversation of ${prompt.length} tokens of which no more can be forgotten`,
    remedy: 'Shorten the message, or load the model with a larger contextLength.',
  });
}
