import { StonechatError } from '../errors.js';
import { IdList } from './ids.js';
import type { Settings } from './options.js';

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

  constructor(
    private readonly length: number,
    private readonly bos: number | undefined,
  ) {}

  append(ids: ArrayLike<number>): void {
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

  /** Where overfull, forgets the oldest half of what is visible, but for BOS, without which models lose their footing. */
  slide(): void {
    if (!this.overfull) return;
    const { visible, length, bos } = this;
    const keep = length > 1 && visible.ids[0] === bos ? 1 : 0;
    const newest = Math.max(1, Math.floor((length - keep) / 2));
    const tail = visible.view(visible.length - newest).slice();
    visible.truncate(keep);
    visible.append(tail);
  }
}

/** The prompt as a context. @throws StonechatError `context-full`. */
export function startContext(prompt: Int32Array, settings: Settings, contextLength: number, bos: number | undefined): Context {
  if (settings.overflow === 'error') checkFits(prompt.length, settings.maxTokens, contextLength);
  const context = new Context(contextLength, bos);
  context.append(prompt);
  return context;
}
