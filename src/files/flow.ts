import { badOption } from './refuse.js';

const NOTHING = new Uint8Array(0);

/** A byte stream read front to back, holding what has arrived but was not asked for yet. */
export class Flow {
  /** Where in the file the next byte belongs. */
  position: number;
  private rest: Uint8Array = NOTHING;
  private readonly reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(
    stream: ReadableStream<Uint8Array>,
    readonly start: number,
  ) {
    this.position = start;
    this.reader = stream.getReader();
  }

  /** Copies what is there, waiting for at least one byte. 0 at the end. */
  async pull(into: Uint8Array): Promise<number> {
    if (!(await this.fill())) return 0;
    const part = this.rest.subarray(0, into.length);
    into.set(part);
    return this.take(part.length);
  }

  /** Drops up to `count` bytes. 0 at the end. */
  async skip(count: number): Promise<number> {
    return (await this.fill()) ? this.take(Math.min(count, this.rest.length)) : 0;
  }

  async cancel(reason?: unknown): Promise<void> {
    await this.reader.cancel(reason).catch(() => undefined);
  }

  private async fill(): Promise<boolean> {
    while (this.rest.length === 0) {
      const { done, value } = await this.reader.read();
      if (done) return false;
      if (!(value instanceof Uint8Array)) throw badOption('a stream of Uint8Array', `a stream of ${typeof value}`);
      this.rest = value;
    }
    return true;
  }

  private take(count: number): number {
    this.rest = this.rest.subarray(count);
    this.position += count;
    return count;
  }
}

/** Runs asynchronous calls one after another. */
export function inTurn(): <T>(call: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (call) => {
    const next = last.then(call, call);
    last = next.catch(() => undefined);
    return next;
  };
}
