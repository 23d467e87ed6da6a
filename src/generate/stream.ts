import type { Generation, Summary, Token } from './types.js';

/** A summary before anything was done. */
export function newSummary(seed: bigint): Summary {
  const summary: Summary = {
    finish: undefined, promptTokens: 0, reusedTokens: 0, forgottenTokens: 0, forgottenMessages: 0, tokens: 0, text: '', seed: plainSeed(seed),
    prefillSeconds: 0, decodeSeconds: 0, prefillTokensPerSecond: 0, decodeTokensPerSecond: 0, logitsHash: undefined,
  };
  // Not enumerable: what copies a summary, or posts it, need not know of it.
  return Object.defineProperty(summary, 'toJSON', { value: toJSON });
}

/** A number where a number holds it. */
const plainSeed = (seed: bigint): number | bigint => (seed <= Number.MAX_SAFE_INTEGER ? Number(seed) : seed);

/** What JSON makes of a summary: seeds beyond 2^53 as text, which JSON has no number for. */
function toJSON(this: Summary): object {
  return { ...this, seed: typeof this.seed === 'bigint' ? String(this.seed) : this.seed };
}

/** What all generations have in common: the forms in which their tokens can be taken. */
export abstract class TokenStream implements Generation {
  abstract readonly summary: Summary;
  protected abstract readonly tokens: AsyncGenerator<Token, undefined>;

  /** Makes the work end that is under way; `return` then has nothing to wait for. */
  protected abstract stop(): void;

  next(): Promise<IteratorResult<Token, undefined>> {
    return this.tokens.next();
  }
  return(): Promise<IteratorResult<Token, undefined>> {
    return this.tokens.return(undefined);
  }
  throw(error?: unknown): Promise<IteratorResult<Token, undefined>> {
    return this.tokens.throw(error);
  }
  [Symbol.asyncIterator](): this {
    return this;
  }

  async text(): Promise<string> {
    for await (const token of this.tokens) void token;
    return this.summary.text;
  }

  toReadableStream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const encoder = new TextEncoder();
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>): Promise<void> => {
      for (;;) {
        const { done, value } = await this.tokens.next();
        if (done) return controller.close();
        if (value.text !== '') return controller.enqueue(encoder.encode(value.text));
      }
    };
    const cancel = async (): Promise<void> => {
      this.stop();
      await this.tokens.return(undefined);
    };
    return new ReadableStream({ pull, cancel }, { highWaterMark: 0 });
  }
}
