import { StonechatError } from '../errors.js';
import type { OpenOptions } from '../host/host.js';
import { Flow, inTurn } from './flow.js';
import { shown } from './place.js';
import { aborted, badOption, network, truncated, unavailable } from './refuse.js';
import type { ByteSource } from './types.js';

export const endsAt = (name: string, size: number, offset: number, length: number) =>
  truncated(`bytes ${offset} to ${offset + length} of ${name}`, `a file of ${size} bytes`);

/** Bytes in memory. They are not copied. */
export function bufferSource(data: ArrayBuffer | Uint8Array, name = 'buffer'): ByteSource {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  return {
    name,
    size: bytes.length,
    async read(offset, into) {
      if (offset + into.length > bytes.length) throw endsAt(name, bytes.length, offset, into.length);
      into.set(bytes.subarray(offset, offset + into.length));
    },
    async close() {},
  };
}

/** A Blob or File, read slice by slice. */
export function blobSource(blob: Blob, name = 'name' in blob ? String(blob.name) : 'blob'): ByteSource {
  return {
    name,
    size: blob.size,
    async read(offset, into) {
      if (offset + into.length > blob.size) throw endsAt(name, blob.size, offset, into.length);
      const buffer = await blob.slice(offset, offset + into.length).arrayBuffer().catch((cause: unknown) => {
        throw unavailable(`${name} to stay readable`, 'that it changed or went away', 'Choose the file again.', cause);
      });
      into.set(new Uint8Array(buffer));
    },
    async close() {},
  };
}

export interface StreamOptions extends OpenOptions {
  name?: string;
  /** Bytes, where known. */
  size?: number;
}

/** A stream: reads must go forward; bytes between them are dropped. */
export function streamSource(stream: ReadableStream<Uint8Array>, options: StreamOptions = {}): ByteSource {
  const { name = 'stream', size = -1, signal, onProgress } = options;
  if (stream.locked) throw badOption('a stream that nobody reads', `one that is read already (${name})`, 'Pass it before anything else reads from it, or make a new one.');
  const flow = new Flow(stream, 0);
  const turn = inTurn();
  const cancel = () => void flow.cancel(signal?.reason);
  signal?.addEventListener('abort', cancel, { once: true });

  function broken(cause: unknown): never {
    if (signal?.aborted) throw aborted(signal, `reading ${name}`);
    if (cause instanceof StonechatError) throw cause;
    throw unavailable(`${name} to deliver its bytes`, cause instanceof Error ? cause.message : String(cause), 'Its source failed: make a new stream and try again.', cause);
  }

  async function readUpTo(offset: number, into: Uint8Array): Promise<number> {
    if (offset < flow.position) {
      throw unavailable('a stream to be read front to back', `byte ${offset} after byte ${flow.position} of ${name}`, 'Pass a Blob, buffer, path or URL instead.');
    }
    let filled = 0;
    while (filled < into.length) {
      const gap = offset - flow.position;
      const got = await (gap > 0 ? flow.skip(gap) : flow.pull(into.subarray(filled))).catch(broken);
      if (signal?.aborted) throw aborted(signal, `reading ${name}`);
      if (got === 0) break;
      if (gap <= 0) filled += got;
      onProgress?.({ phase: 'download', done: flow.position, total: size });
    }
    return filled;
  }

  return {
    name,
    size,
    readUpTo: (offset, into) => turn(() => readUpTo(offset, into)),
    read: (offset, into) =>
      turn(async () => {
        if ((await readUpTo(offset, into)) < into.length) throw endsAt(name, flow.position, offset, into.length);
      }),
    async close() {
      signal?.removeEventListener('abort', cancel);
      await flow.cancel();
    },
  };
}

/** The answer to a fetch, read front to back. @throws StonechatError `network` for one that is no success. */
export function responseSource(response: Response, options: OpenOptions = {}): ByteSource {
  const name = response.url ? shown(response.url) : 'response';
  if (!response.ok) throw network(`${name} to be sent`, `HTTP status ${response.status} ${response.statusText}`.trim(), 'Look at response.ok before.');
  if (response.bodyUsed) throw badOption('a response whose body nobody read', `one that was read already (${name})`, 'Pass it before anything else reads it, or a clone.');
  const coded = !['identity', null].includes(response.headers.get('content-encoding'));
  const length = coded ? NaN : Number.parseInt(response.headers.get('content-length') ?? '', 10);
  return streamSource(response.body ?? new Blob([]).stream(), { ...options, name, size: Number.isNaN(length) ? -1 : length });
}

/** Chunks of bytes one by one, such as Node's Readable. */
export function iterableSource(chunks: AsyncIterable<Uint8Array>, options: OpenOptions = {}): ByteSource {
  const queue = chunks[Symbol.asyncIterator]();
  const stream = new ReadableStream<Uint8Array>({
    async pull(control) {
      const { done, value } = await queue.next();
      if (done) control.close();
      else control.enqueue(value);
    },
    cancel: async (reason) => void (await queue.return?.(reason)),
  }, { highWaterMark: 0 });
  const path = 'path' in chunks && typeof chunks.path === 'string' ? chunks.path : undefined;
  return streamSource(stream, { ...options, ...(path !== undefined && { name: path }) });
}
