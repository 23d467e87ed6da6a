import type { TextStream, Tokenizer } from '../text/types.js';
import type { Settings } from './options.js';
import { StopScanner } from './stop.js';
import type { Finish } from './types.js';

/** Turns the ids of an answer into text and says when it is complete. */
export class Answer {
  tokens = 0;
  private readonly scanner: StopScanner;
  private readonly stream: TextStream;
  private readonly stopIds: ReadonlySet<number>;

  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly settings: Settings,
    prompt: Int32Array,
  ) {
    this.scanner = new StopScanner(settings.stop);
    this.stopIds = new Set([...settings.stopIds, ...settings.stop.flatMap((stop) => specialNamed(stop, tokenizer))]);
    this.stream = tokenizer.stream({ previous: prompt.filter((id) => this.hasText(id)) });
  }

  /** The text that `id` makes certain, and why the answer ends here, if it does. */
  accept(id: number): { text: string; finish: Finish | undefined } {
    this.tokens++;
    const end = this.endedBy(id);
    // The token that ends an answer is no part of it.
    const text = end || !this.hasText(id) ? '' : this.scanner.push(this.stream.push(id));
    const finish = end ?? this.endedByCount();
    return { text: finish ? text + this.rest() : text, finish };
  }

  /** Models may have more ids than their tokenizer: rows that fill up a multiple, never trained. */
  private hasText(id: number): boolean {
    return id < this.tokenizer.size;
  }

  private endedBy(id: number): Finish | undefined {
    if (this.stopIds.has(id)) return 'stop';
    return !this.settings.ignoreEos && this.tokenizer.stopIds.has(id) ? 'eos' : undefined;
  }

  private endedByCount(): Finish | undefined {
    if (this.scanner.stopped) return 'stop';
    return this.tokens >= (this.settings.maxTokens ?? Infinity) ? 'length' : undefined;
  }

  /** What was held back: half a character, the beginning of a stop string. */
  rest(): string {
    return this.scanner.push(this.stream.flush()) + this.scanner.flush();
  }
}

/** The special token that is written just so: it ends an answer as the text would, which it never writes. */
function specialNamed(text: string, tokenizer: Tokenizer): number[] {
  const [id, ...more] = tokenizer.encode(text, { addSpecial: false, parseSpecial: true });
  const named = id !== undefined && more.length === 0 && tokenizer.isSpecial(id) && tokenizer.token(id) === text;
  return named ? [id] : [];
}
