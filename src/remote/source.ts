// Sources that a message can carry go along; streams and sources with methods stay, and the worker asks for their bytes.
import { streamSource } from '../files/sources.js';
import { notFound } from '../files/refuse.js';
import type { ByteSource } from '../files/types.js';
import type { Source } from '../generate/types.js';
import type { OpenOptions } from '../host/host.js';
import type { Methods, Peer } from './peer.js';

/** Stands in a message for a source that stayed. */
interface Remaining {
  readonly remaining: 'stream' | 'source';
  readonly id: number;
  readonly name: string;
  readonly size: number;
}
export type PackedSource = { readonly plain: unknown } | Remaining | readonly PackedSource[];

/** More at once would hold up other messages. */
const MOST_AT_ONCE = 8 << 20;

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
const isByteSource = (value: object): value is ByteSource => 'read' in value && typeof value.read === 'function' && 'size' in value;
const isResponse = (value: object): value is Response => typeof Response === 'function' && value instanceof Response;
const isIterable = (value: object): value is AsyncIterable<Uint8Array> => Symbol.asyncIterator in value;

/** A view alone: a message would carry the whole buffer behind it. */
const alone = (bytes: Uint8Array): Uint8Array => (bytes.byteLength < bytes.buffer.byteLength ? bytes.slice() : bytes);

/** Chunk by chunk; not by the stream's own iterator, which not every browser has. */
async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, undefined> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** Of an answer to a fetch. @throws StonechatError `not-found` */
function bodyOf({ ok, url, status, body }: Response): ReadableStream<Uint8Array> {
  if (ok && body) return body;
  throw notFound(`${url} to answer with a file`, ok ? 'an answer without a body' : `status ${status}`, 'Check the address.');
}

/** The caller's side: keeps what stays and answers for it. */
export class Shelf {
  private readonly streams = new Map<number, AsyncIterator<Uint8Array>>();
  private readonly sources = new Map<number, ByteSource>();
  private last = 0;

  /** `resolve` makes an address that is relative to the page mean the same in a worker. */
  constructor(private readonly resolve: (location: string) => string) {}

  pack(source: unknown, inList = false): PackedSource {
    if (Array.isArray(source) && !inList) return source.map((each) => this.pack(each, true));
    if (typeof source === 'string') return { plain: this.resolve(source) };
    if (source instanceof URL) return { plain: source.href };
    if (source instanceof Uint8Array) return { plain: alone(source) };
    if (!isObject(source) || source instanceof Blob) return { plain: source };
    if (isByteSource(source)) return this.keepSource(source);
    if (isResponse(source)) return this.keepStream(chunksOf(bodyOf(source)), source.url, Number(source.headers.get('content-length') ?? -1));
    if (source instanceof ReadableStream) return this.keepStream(chunksOf(source as ReadableStream<Uint8Array>));
    return isIterable(source) ? this.keepStream(source[Symbol.asyncIterator]()) : { plain: source };
  }

  /** Whether any source stayed: such can be read once. */
  get isUsed(): boolean {
    return this.last > 0;
  }

  private keepStream(chunks: AsyncIterator<Uint8Array>, name = 'stream', size = -1): Remaining {
    this.streams.set(++this.last, chunks);
    return { remaining: 'stream', id: this.last, name, size };
  }

  private keepSource(source: ByteSource): Remaining {
    this.sources.set(++this.last, source);
    return { remaining: 'source', id: this.last, name: source.name, size: source.size };
  }

  /** What the worker may ask. */
  readonly methods = {
    pull: async ({ id }: { id: number }) => {
      const { done, value } = await this.streams.get(id)!.next();
      return done ? undefined : alone(value);
    },
    cancel: async ({ id }: { id: number }) => void (await this.streams.get(id)!.return?.()),
    read: async ({ id, offset, length }: { id: number; offset: number; length: number }) => {
      const source = this.sources.get(id)!;
      const into = new Uint8Array(length);
      if (source.size >= 0 || !source.readUpTo) return source.read(offset, into).then(() => into);
      return into.slice(0, await source.readUpTo(offset, into));
    },
    close: ({ id }: { id: number }) => this.sources.get(id)!.close(),
  } satisfies Methods;
}

function remoteStream(peer: Peer, { id, name, size }: Remaining, options: OpenOptions): ByteSource {
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const chunk = await peer.call<Uint8Array | undefined>('pull', { id });
        if (chunk) controller.enqueue(chunk);
        else controller.close();
      },
      cancel: () => peer.call('cancel', { id }),
    },
    { highWaterMark: 0 },
  );
  return streamSource(stream, { ...options, name, size });
}

function remoteSource(peer: Peer, { id, name, size }: Remaining): ByteSource {
  const fetchInto = async (offset: number, into: Uint8Array): Promise<number> => {
    let filled = 0;
    while (filled < into.length) {
      const length = Math.min(into.length - filled, MOST_AT_ONCE);
      const bytes = await peer.call<Uint8Array>('read', { id, offset: offset + filled, length });
      into.set(bytes, filled);
      filled += bytes.length;
      if (bytes.length < length) break;
    }
    return filled;
  };
  return {
    name,
    size,
    read: async (offset, into) => void (await fetchInto(offset, into)),
    ...(size < 0 && { readUpTo: fetchInto }),
    close: () => peer.call('close', { id }),
  };
}

/** The worker's side. */
export function unpackSource(peer: Peer, packed: PackedSource, options: OpenOptions): Source {
  if (Array.isArray(packed)) return packed.map((each: PackedSource) => unpackSource(peer, each, options)) as Source;
  const one = packed as Exclude<PackedSource, readonly unknown[]>;
  if ('plain' in one) return one.plain as Source;
  return one.remaining === 'stream' ? remoteStream(peer, one, options) : remoteSource(peer, one);
}

