import { badFile, truncated } from './refuse.js';
import type { ByteSource } from '../host/host.js';

/** First read. Holds the whole header of most models without a big vocabulary. */
const FIRST_BYTES = 1 << 18;
/** No real header is longer: a 256k-token vocabulary with merges takes about 16 MiB. */
const MOST_HEADER_BYTES = 1 << 28;
/** A claim beyond this is no cut-off file but a damaged one. */
const ABSURD_BYTES = 2 ** 40;

/** Thrown by Cursor when the bytes at hand end too early; Head.parse fetches more and tries again. */
class Short extends Error {
  constructor(readonly end: number) {
    super('more bytes needed');
  }
}

/** Fills as much of `into` as the source has. */
export async function readUpTo(source: ByteSource, offset: number, into: Uint8Array): Promise<number> {
  if (source.size < 0 && source.readUpTo) return source.readUpTo(offset, into);
  const there = source.size < 0 ? into.length : Math.max(0, Math.min(into.length, source.size - offset));
  await source.read(offset, into.subarray(0, there));
  return there;
}

/**
 * The first bytes of a source, fetched in growing pieces as a parser asks for them, so that a stream is read only once
 * and a header of any size costs few reads.
 */
export class Head {
  bytes = new Uint8Array(0);

  constructor(readonly source: ByteSource) {}

  /** Where the file, or at the latest a header, must end. */
  get limit(): number {
    return this.source.size < 0 ? MOST_HEADER_BYTES : Math.min(this.source.size, MOST_HEADER_BYTES);
  }

  /** Gets at least `end` bytes, or all there are. */
  async grow(end: number): Promise<void> {
    const have = this.bytes.length;
    if (have >= end) return;
    const exact = this.source.size < 0 && !this.source.readUpTo;
    const target = exact ? end : Math.min(Math.max(end, have * 4, FIRST_BYTES), this.limit);
    const grown = new Uint8Array(target);
    grown.set(this.bytes);
    const got = have < grown.length ? await readUpTo(this.source, have, grown.subarray(have)) : 0;
    this.bytes = grown.subarray(0, have + got);
  }

  /** Runs `step` at the cursor; when it runs out of bytes, fetches more and runs it again from where it began. */
  async parse<T>(cursor: Cursor, step: () => T): Promise<T> {
    const start = cursor.position;
    for (;;) {
      try {
        return step();
      } catch (error) {
        if (!(error instanceof Short)) throw error;
        await this.grow(error.end);
        if (this.bytes.length < error.end) throw endsEarly(this.source.name, error.end, this.bytes.length);
        cursor.position = start;
      }
    }
  }

  /** A source for the rest of the file, serving from memory what was read too far, unless it can be read again for less than a copy costs. Call once, when the header is done. */
  after(position: number): ByteSource {
    return this.source.direct ? this.source : new Continued(this.source, position, this.bytes.slice(position));
  }
}

const endsEarly = (name: string, needed: number, size: number) =>
  truncated(`at least ${needed} bytes in ${name}`, `${size}: it ends inside its header`);

/** Reads little-endian values from a Head. Checks every length against the end of the file before anything is allocated. */
export class Cursor {
  position = 0;

  constructor(private readonly head: Head) {}

  /** Claims the next `count` bytes and returns where they start. */
  claim(count: number): number {
    const { head, position } = this;
    const end = position + count;
    if (end > head.limit) throw this.beyond(count);
    if (end > head.bytes.length) throw new Short(end);
    this.position = end;
    return position;
  }

  bytes(count: number): Uint8Array {
    const start = this.claim(count);
    return this.head.bytes.subarray(start, start + count);
  }

  view(count: number): DataView {
    const { buffer, byteOffset } = this.head.bytes;
    return new DataView(buffer, byteOffset + this.claim(count), count);
  }

  u8 = (): number => this.view(1).getUint8(0);
  u32 = (): number => this.view(4).getUint32(0, true);
  i32 = (): number => this.view(4).getInt32(0, true);
  u64 = (): bigint => this.view(8).getBigUint64(0, true);

  /** A 64-bit number of things that take at least `bytesEach` bytes each, all of which must fit in the file. */
  count(bytesEach: number, what: string): number {
    const at = this.position;
    const count = Number(this.u64());
    if (count * bytesEach > this.head.limit - this.position) throw this.beyond(count * bytesEach, `${count} ${what} at byte ${at}`);
    return count;
  }

  /**
   * Passes over strings (64-bit length, bytes) and notes where the bytes of each begin, counted from the first string's length;
   * last, where those of one more would. One loop without calls: it runs once per token.
   */
  passStrings(starts: Uint32Array): void {
    const first = this.position;
    const { buffer, byteOffset, length: end } = this.head.bytes;
    const view = new DataView(buffer, byteOffset, end);
    let p = first;
    starts[0] = 8;
    for (let i = 1; i < starts.length; i++) {
      const next = p + 8 <= end && view.getUint32(p + 4, true) === 0 ? p + 8 + view.getUint32(p, true) : Infinity;
      if (next <= end) p = next;
      else {
        this.position = p;
        this.claim(this.count(1, 'string bytes')); // says what is wrong, or asks for more bytes
        p = this.position;
      }
      starts[i] = p - first + 8;
    }
    this.position = p;
  }

  private beyond(count: number, what = `${count} bytes at byte ${this.position}`) {
    const { source, limit } = this.head;
    const refuse = count > ABSURD_BYTES ? badFile : truncated;
    const room = limit === MOST_HEADER_BYTES ? `a header of at most ${limit} bytes` : `a file of ${limit} bytes`;
    return refuse(`${source.name} to hold what its header lists`, `${what} in ${room}`);
  }
}

/** A source whose bytes from `start` on are already at hand. */
class Continued implements ByteSource {
  readonly name: string;

  constructor(
    private readonly source: ByteSource,
    private readonly start: number,
    private readonly known: Uint8Array,
  ) {
    this.name = source.name;
  }

  get size(): number {
    return this.source.size;
  }

  get direct(): boolean {
    return this.source.direct ?? false;
  }

  get remote(): boolean {
    return this.source.remote ?? false;
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    const from = offset - this.start;
    if (from < 0 || from >= this.known.length) return this.source.read(offset, into);
    const part = this.known.subarray(from, from + into.length);
    into.set(part);
    if (part.length < into.length) await this.source.read(offset + part.length, into.subarray(part.length));
  }

  async pause(): Promise<void> {
    await this.source.pause?.();
  }

  close(): Promise<void> {
    return this.source.close();
  }
}
