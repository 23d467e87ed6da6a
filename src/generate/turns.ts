import type { ChatMessage } from './types.js';

/** At least this share of the context is forgotten at once, so that several turns fit before more must be read again. */
const SHARE = 1 / 4;
/** And so many turns, as far as there are, where turns are long. */
const AT_ONCE = 2;

/** What is left of a conversation. */
export interface Kept {
  readonly ids: Int32Array;
  /** How many of its messages are forgotten. */
  readonly messages: number;
}

/**
 * A conversation of which whole turns can be forgotten, the oldest first: a turn begins with a message of the user and ends
 * before the next. What stands before the first turn (the system's message) stays, and so does the last turn.
 * What is forgotten follows from the messages and the length of the answer alone, never from what a session did before.
 */
export class Turns {
  private readonly known = new Map<number, Int32Array>();
  /** Messages that begin turns. */
  private readonly starts: readonly number[];

  constructor(
    private readonly messages: readonly ChatMessage[],
    private readonly whole: Int32Array,
    private readonly encode: (messages: readonly ChatMessage[]) => Promise<Int32Array>,
  ) {
    this.starts = startsOf(messages);
    this.known.set(0, whole);
  }

  /** As much of the conversation as fits with so many tokens of the answer; undefined if the last turn alone does not. */
  async fitting(answer: number, context: number): Promise<Kept | undefined> {
    const { length } = this.whole;
    const excess = length + answer - context;
    if (excess <= 0) return this.from(0);
    const last = Math.max(0, this.starts.length - 1);
    const most = length - (await this.without(last)).length;
    if (most < excess) return undefined;
    const step = Math.max(1, Math.floor(context * SHARE));
    const least = Math.ceil(excess / step) * step;
    const fewest = await this.fewest(most < least ? excess : least, last);
    const turns = Math.min(last, Math.ceil(fewest / AT_ONCE) * AT_ONCE);
    // A template may write more for less.
    return this.from((await this.without(turns)).length + answer <= context ? turns : last);
  }

  /** The fewest turns whose forgetting saves so many tokens. */
  private async fewest(tokens: number, last: number): Promise<number> {
    let low = 1;
    let high = last;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.whole.length - (await this.without(middle)).length >= tokens) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  private async from(turns: number): Promise<Kept> {
    const first = this.starts[0] ?? 0;
    return { ids: await this.without(turns), messages: (this.starts[turns] ?? first) - first };
  }

  /** The prompt without its first turns. */
  private async without(turns: number): Promise<Int32Array> {
    let ids = this.known.get(turns);
    if (!ids) {
      const { messages, starts } = this;
      ids = await this.encode([...messages.slice(0, starts[0]), ...messages.slice(starts[turns])]);
      this.known.set(turns, ids);
    }
    return ids;
  }
}

const LEADING: ReadonlySet<string> = new Set(['system', 'developer']);

function startsOf(messages: readonly ChatMessage[]): number[] {
  const body = messages.findIndex(({ role }) => !LEADING.has(role));
  if (body < 0) return [];
  const asks = messages.some(({ role }) => role === 'user');
  return messages.flatMap(({ role }, i) => (i === body || (i > body && (role === 'user' || !asks)) ? [i] : []));
}
