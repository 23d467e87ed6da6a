import type { Settings } from '../generate/options.js';
import type { Generation, PrefillProgress, Summary, Token } from '../generate/types.js';
import { unpackError } from './failure.js';
import type { Peer } from './peer.js';
import type { Beginning, NextAnswer, NextCall } from './protocol.js';

interface Watching {
  readonly signal: AbortSignal | undefined;
  readonly onProgress?: ((progress: PrefillProgress) => void) | undefined;
}

/** Streams of all models of this side: numbers are never used twice. */
let last = 0;

/** Asks the worker token by token, and no sooner than it is asked itself. */
export async function* remoteTokens(peer: Peer, beginning: Beginning, { signal, onProgress }: Watching, onAnswer: (answer: NextAnswer) => void = () => {}): AsyncGenerator<Token, undefined> {
  const stream = ++last;
  const onEvent = onProgress && ((event: unknown) => onProgress(event as PrefillProgress));
  let open = true;
  try {
    for (let first: Beginning | undefined = beginning; ; first = undefined) {
      const call: NextCall = { stream, beginning: first, aborted: signal?.aborted ?? false };
      const answer = await peer.call<NextAnswer>('next', call, { signal, onEvent });
      onAnswer(answer);
      open = answer.token !== undefined;
      if (answer.error) throw unpackError(answer.error, signal);
      if (!answer.token) return;
      yield answer.token;
    }
  } finally {
    if (open) await peer.call('leave', { stream }).catch(() => {});
  }
}

/** As a TokenGeneration is, but that the work is done elsewhere. */
export class RemoteGeneration implements Generation {
  readonly summary: Summary;
  private readonly tokens: AsyncGenerator<Token, undefined>;

  constructor(peer: Peer, beginning: Beginning, { seed, signal, onProgress }: Pick<Settings, 'seed' | 'signal' | 'onProgress'>) {
    this.summary = {
      finish: undefined, promptTokens: 0, reusedTokens: 0, tokens: 0, text: '', seed, prefillSeconds: 0, decodeSeconds: 0,
      prefillTokensPerSecond: 0, decodeTokensPerSecond: 0, logitsHash: undefined,
    };
    this.tokens = remoteTokens(peer, beginning, { signal, onProgress }, ({ token, summary }) => {
      Object.assign(this.summary, summary);
      this.summary.text += token?.text ?? '';
    });
  }

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
}
