import type { TextStream, Tokenizer } from '../text/types.js';
import type { Settings } from './options.js';
import { StopScanner } from './stop.js';
import type { Finish } from './types.js';

/** Turns the ids of an answer into text and says when it is complete. */
export class Answer {
  tokens = 0;
  private readonly scanner: StopScanner;
  private readonly stream: TextStream;

  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly settings: Settings,
    prompt: Int32Array,
  ) {
    this.scanner = new StopScanner(settings.stop);
    this.stream = tokenizer.stream({ previous: prompt.filter((id) => this.hasText(id)) });
  }

  /** The text that `id` makes certain, and why the answer ends here, if it does. `full`: no id fits after this one. */
  accept(id: number, full: boolean): { text: string; finish: Finish | undefined } {
    this.tokens++;
    const end = this.endedBy(id);
    // The token that ends an answer is no part of it.
    const text = end || !this.hasText(id) ? '' : this.scanner.push(this.stream.push(id));
    const finish = end ?? this.endedByCount(full);
    return { text: finish ? text + this.rest() : text, finish };
  }

  /** Models may have more ids than their tokenizer: rows that fill up a multiple, never trained. */
  private hasText(id: number): boolean {
    return id < this.tokenizer.size;
  }

  private endedBy(id: number): Finish | undefined {
    if (this.settings.stopIds.has(id)) return 'stop';
    return !this.settings.ignoreEos && this.tokenizer.stopIds.has(id) ? 'eos' : undefined;
  }

  private endedByCount(full: boolean): Finish | undefined {
    if (this.scanner.stopped) return 'stop';
    if (this.tokens >= (this.settings.maxTokens ?? Infinity)) return 'length';
    return full ? 'context' : undefined;
  }

  /** What was held back: half a character, the beginning of a stop string. */
  private rest(): string {
    return this.scanner.push(this.stream.flush()) + this.scanner.flush();
  }
}
