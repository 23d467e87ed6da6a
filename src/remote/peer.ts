// Calls across a message channel, in both directions: each side names the methods that the other may call.
import { StonechatError } from '../errors.js';
import { type PackedError, packError, unpackError } from './failure.js';

type Message =
  | { type: 'call'; id: number; method: string; value: unknown }
  | { type: 'event'; id: number; value: unknown }
  | { type: 'abort'; id: number }
  | { type: 'answer'; id: number; value: unknown }
  | { type: 'error'; id: number; error: PackedError };

/** What a method is given beside its argument. */
export interface Call {
  /** Fires when the caller gives up. */
  readonly signal: AbortSignal;
  /** Tells the caller something before the answer. */
  readonly tell: (event: unknown) => void;
}

/** Methods get what was sent and check it themselves, or pass it to who does. */
export type Methods = Readonly<Record<string, (value: never, call: Call) => unknown>>;

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: unknown) => void) | undefined;
}

interface Pending {
  settle(message: Extract<Message, { type: 'answer' | 'error' }>): void;
  fail(error: unknown): void;
  readonly onEvent: CallOptions['onEvent'];
}

const uncloneable = (cause: unknown): StonechatError =>
  new StonechatError({
    code: 'bad-option',
    expected: 'options and prompts that a message to a worker can carry',
    found: cause instanceof Error ? cause.message : String(cause),
    remedy: 'Leave functions and class instances out, or use `load`, which needs no messages.',
    cause,
  });

export class Peer {
  private readonly pending = new Map<number, Pending>();
  private readonly running = new Map<number, AbortController>();
  private last = 0;
  private over: unknown;

  /** `onBusy` is told whether any call waits for an answer. */
  constructor(
    private readonly post: (message: unknown) => void,
    private readonly methods: Methods,
    private readonly onBusy: (busy: boolean) => void = () => {},
  ) {}

  /** Calls a method of the other side. Rejects with what it throws, or with what `close` was given. */
  async call<Result>(method: string, value: unknown, { signal, onEvent }: CallOptions = {}): Promise<Result> {
    if (this.over !== undefined) throw this.over;
    const id = ++this.last;
    const abort = () => this.send({ type: 'abort', id });
    try {
      return await new Promise<Result>((resolve, reject) => {
        const settle: Pending['settle'] = (message) =>
          message.type === 'answer' ? resolve(message.value as Result) : reject(unpackError(message.error, signal));
        this.pending.set(id, { settle, fail: reject, onEvent });
        this.send({ type: 'call', id, method, value });
        this.onBusy(true);
        if (signal?.aborted) abort();
        signal?.addEventListener('abort', abort, { once: true });
      });
    } finally {
      signal?.removeEventListener('abort', abort);
      this.pending.delete(id);
      this.onBusy(this.pending.size > 0);
    }
  }

  /** Ends all calls, and those to come, with `error`. */
  close(error: unknown): void {
    this.over ??= error;
    for (const { fail } of this.pending.values()) fail(error);
    for (const controller of this.running.values()) controller.abort(error);
  }

  receive(data: unknown): void {
    const message = data as Message;
    if (message.type === 'call') return void this.serve(message);
    if (message.type === 'abort') return this.running.get(message.id)?.abort();
    const pending = this.pending.get(message.id);
    if (message.type !== 'event') return pending?.settle(message);
    try {
      pending?.onEvent?.(message.value);
    } catch (error) {
      pending?.fail(error); // the caller's own callback
      this.send({ type: 'abort', id: message.id });
    }
  }

  private async serve({ id, method, value }: Extract<Message, { type: 'call' }>): Promise<void> {
    const controller = new AbortController();
    this.running.set(id, controller);
    try {
      const tell = (event: unknown) => this.send({ type: 'event', id, value: event });
      const answer: unknown = await this.methods[method]!(value as never, { signal: controller.signal, tell });
      this.send({ type: 'answer', id, value: answer });
    } catch (error) {
      this.send({ type: 'error', id, error: packError(error) });
    } finally {
      this.running.delete(id);
    }
  }

  /** @throws StonechatError `bad-option` for what cannot be cloned. */
  private send(message: Message): void {
    if (this.over !== undefined) return;
    try {
      this.post(message);
    } catch (cause) {
      throw uncloneable(cause);
    }
  }
}
