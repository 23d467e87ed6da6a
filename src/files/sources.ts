import type { OpenOptions } from '../host/host.js';
import { Flow, inTurn } from './flow.js';
import { aborted, truncated, unavailable } from './refuse.js';
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
  const flow = new Flow(stream, 0);
  const turn = inTurn();
  const cancel = () => void flow.cancel(signal?.reason);
  signal?.addEventListener('abort', cancel, { once: true });

  async function readUpTo(offset: number, into: Uint8Array): Promise<number> {
    if (offset < flow.position) {
      throw unavailable('a stream to be read front to back', `byte ${offset} after byte ${flow.position} of ${name}`, 'Pass a Blob, buffer, path or URL instead.');
    }
    let filled = 0;
    while (filled < into.length) {
      const gap = offset - flow.position;
      const got = gap > 0 ? await flow.skip(gap) : await flow.pull(into.subarray(filled));
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
