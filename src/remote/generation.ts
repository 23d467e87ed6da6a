import type { Settings } from '../generate/options.js';
import { newSummary, TokenStream } from '../generate/stream.js';
import type { PrefillProgress, Summary, Token } from '../generate/types.js';
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
export async function* remoteTokens(peer: Peer, beginning: Beginning, { signal, onProgress }: Watching, onAnswer: (answer: NextAnswer) => void = () => {}, stream = ++last): AsyncGenerator<Token, undefined> {
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
export class RemoteGeneration extends TokenStream {
  readonly summary: Summary;
  protected readonly tokens: AsyncGenerator<Token, undefined>;

  private readonly stream = ++last;

  constructor(private readonly peer: Peer, beginning: Beginning, { seed, signal, onProgress }: Pick<Settings, 'seed' | 'signal' | 'onProgress'>) {
    super();
    this.summary = newSummary(seed);
    this.tokens = remoteTokens(peer, beginning, { signal, onProgress }, ({ token, summary }) => {
      Object.assign(this.summary, summary);
      this.summary.text += token?.text ?? '';
    }, this.stream);
  }

  protected stop(): void {
    void this.peer.call('leave', { stream: this.stream }).catch(() => {}); // a dead worker is told by who waits for it
  }
}
