import type { Peer } from './peer.js';
import { TOKENIZER_METHODS, type TokenizerFacts, type WorkerTextStream, type WorkerTokenizer } from './types.js';

/** The caller's side of a tokenizer in a worker. */
export function remoteTokenizer(peer: Peer, facts: TokenizerFacts): WorkerTokenizer {
  let last = 0;
  const forgotten = new FinalizationRegistry<number>((text) => void peer.call('closeText', { text }).catch(() => {}));
  const methods = Object.fromEntries(
    TOKENIZER_METHODS.map((name) => [name, (...list: unknown[]) => peer.call('tokenizer', { name, list: list.map(listOf) })]),
  ) as unknown as Pick<WorkerTokenizer, (typeof TOKENIZER_METHODS)[number]>;

  function stream(options: Parameters<WorkerTokenizer['stream']>[0]): WorkerTextStream {
    const text = ++last;
    const previous = options?.previous && [...options.previous];
    const opened = peer.call('openText', { text, options: { ...options, previous } });
    opened.catch(() => {}); // those who push hear of it
    const stream: WorkerTextStream = {
      push: async (id) => (await opened, peer.call('pushText', { text, id })),
      flush: async () => (await opened, peer.call('flushText', { text })),
    };
    forgotten.register(stream, text);
    return stream;
  }

  return { ...facts, ...methods, stream };
}

/** Iterables of ids as lists: a message carries no iterators. */
function listOf(value: unknown): unknown {
  const iterable = typeof value === 'object' && value !== null && Symbol.iterator in value;
  return iterable && !ArrayBuffer.isView(value) ? [...(value as Iterable<unknown>)] : value;
}
