import { StonechatError } from '../errors.js';
import type { OpenOptions } from '../host/host.js';
import { Flow, inTurn } from './flow.js';
import { aborted, badFile, network, notFound, truncated } from './refuse.js';
import { endsAt } from './sources.js';
import type { ByteSource } from './types.js';

/** Gaps up to this are read through; a new request costs more. */
const READ_THROUGH_BYTES = 1 << 20;
const MOST_PAUSE = 8000;
/** Answers that may be different in a moment: timeout, too many requests, server trouble. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

export interface UrlOptions extends OpenOptions {
  fetch?: typeof fetch;
  /** Attempts after a failure without a byte in between. Default 5 (2 for the very first request). */
  retries?: number;
  /** Milliseconds before the first retry; doubles each time. Default 500. */
  retryDelay?: number;
  /**
   * Send If-Range when continuing. Default true. On another origin a page would pay for that header with a CORS preflight
   * that many servers refuse; without it ETag, Last-Modified and size are still compared.
   */
  ifRange?: boolean;
}

/** A failure worth another attempt. */
class Passing extends Error {}

/**
 * A file behind a URL. Reads in ascending order flow from one open response; a jump opens a new one with Range.
 * A dropped connection is resumed at the byte reached, if the file is still the same.
 * @throws StonechatError `not-found`, `network` with the HTTP status, `aborted`.
 */
export async function openUrl(url: string | URL, options: UrlOptions = {}): Promise<ByteSource> {
  const source = new UrlSource(String(url), options);
  await source.connect();
  return source;
}

class UrlSource implements ByteSource {
  size = -1;
  private flow: Flow | undefined;
  private ranges = false;
  private version: Version | undefined;
  /** For progress: bytes of the file seen so far. */
  private reached = 0;
  private readonly turn = inTurn();

  constructor(
    readonly name: string,
    private readonly options: UrlOptions,
  ) {}

  connect(): Promise<void> {
    return this.persist(Math.min(2, this.options.retries ?? 2), async () => this.request(0));
  }

  read(offset: number, into: Uint8Array): Promise<void> {
    return this.turn(async () => {
      const filled = await this.fill(offset, into);
      if (filled < into.length) throw endsAt(this.name, this.size, offset, into.length);
    });
  }

  readUpTo(offset: number, into: Uint8Array): Promise<number> {
    return this.turn(() => this.fill(offset, into));
  }

  pause(): Promise<void> {
    return this.turn(() => this.drop());
  }

  close(): Promise<void> {
    return this.drop();
  }

  private async fill(offset: number, into: Uint8Array): Promise<number> {
    let filled = 0;
    const atEnd = () => this.size >= 0 && offset + filled >= this.size;
    while (filled < into.length && !atEnd()) {
      filled += await this.persist(this.options.retries ?? 5, () => this.pull(offset + filled, into.subarray(filled)));
    }
    return filled;
  }

  /** Bytes from `offset` on; 0 at the end of an answer. */
  private async pull(offset: number, into: Uint8Array): Promise<number> {
    const flow = await this.seek(offset);
    const got = flow.position === offset ? await flow.pull(into) : 0;
    if (got === 0) await this.ended(flow);
    this.progress(flow.position);
    return got;
  }

  /** The open response, moved on to `offset`, or a new one. */
  private async seek(offset: number): Promise<Flow> {
    const gap = this.flow ? offset - this.flow.position : -1;
    if (gap < 0 || (this.ranges && gap > READ_THROUGH_BYTES)) await this.request(offset);
    const flow = this.flow!;
    while (flow.position < offset && (await flow.skip(offset - flow.position)) > 0) this.progress(flow.position);
    return flow;
  }

  /** Some servers send a large range in pieces: as long as each answer brings something, go on at once. */
  private async ended(flow: Flow): Promise<void> {
    const { position } = flow;
    if (this.size < 0) this.size = position;
    if (position < this.size && position === flow.start) throw new Passing(`the answer ended at byte ${position} of ${this.size}`);
    await this.drop();
  }

  private async request(offset: number): Promise<void> {
    await this.drop();
    const { signal, headers } = this.options;
    const validator = this.options.ifRange === false ? undefined : this.version?.strong;
    const answer = await (this.options.fetch ?? fetch)(this.name, {
      headers: { ...headers, range: `bytes=${offset}-`, ...(validator && { 'if-range': validator }) },
      signal,
    });
    if (!answer.ok) return this.refuse(answer, offset);
    const { start, size } = extent(answer, offset);
    this.compare(new Version(answer), size);
    this.ranges ||= answer.status === 206;
    if (this.size < 0) this.size = size;
    this.flow = new Flow(answer.body ?? new Blob([]).stream(), start);
  }

  /** Every answer must come from the same version of the file. */
  private compare(version: Version, size: number): void {
    this.version ??= version;
    const sizes = this.size >= 0 && size >= 0 && size !== this.size;
    if (!sizes && this.version.matches(version)) return;
    const found = sizes ? `${size} bytes instead of ${this.size}` : `${version} instead of ${this.version}`;
    throw badFile(`${this.name} to stay the same while it is downloaded`, found, 'The file on the server has changed; load again from the start.');
  }

  private async refuse(answer: Response, offset: number): Promise<void> {
    await answer.body?.cancel().catch(() => undefined);
    const { status } = answer;
    const found = `HTTP status ${status} ${answer.statusText}`.trim();
    if (status === 416 && offset === 0) {
      this.size = 0;
      return;
    }
    if (status === 416) throw truncated(`more than ${offset} bytes in ${this.name}`, found);
    if (PASSING.has(status)) throw new Passing(found);
    if (status === 404 || status === 410) throw notFound(`a file at ${this.name}`, found, 'Check the address.');
    const remedy = status === 401 || status === 403 ? 'Pass the authorisation it needs as options.headers.' : undefined;
    throw network(`${this.name} to be sent`, found, remedy);
  }

  /** Tries again, with growing pauses, as long as failures are of the passing kind. */
  private async persist<T>(retries: number, attempt: () => Promise<T>): Promise<T> {
    for (let failures = 0; ; failures++) {
      try {
        return await attempt();
      } catch (cause) {
        const { signal, retryDelay = 500 } = this.options;
        if (signal?.aborted) throw aborted(signal, `downloading ${this.name}`);
        if (cause instanceof StonechatError) throw cause;
        await this.drop();
        if (failures >= retries) throw this.giveUp(failures + 1, cause);
        await pause(Math.min(retryDelay * (1 << failures), MOST_PAUSE), signal);
      }
    }
  }

  private giveUp(attempts: number, cause: unknown): StonechatError {
    const reason = cause instanceof Error ? describe(cause) : String(cause);
    const refuse = cause instanceof Passing && reason.startsWith('the answer ended') ? truncated : network;
    return refuse(`${this.name} to be sent`, `${reason} (${attempts} attempts)`, undefined, cause);
  }

  private progress(position: number): void {
    if (position <= this.reached) return;
    this.reached = position;
    this.options.onProgress?.({ phase: 'download', done: position, total: this.size });
  }

  private async drop(): Promise<void> {
    const { flow } = this;
    this.flow = undefined;
    await flow?.cancel();
  }
}

/** fetch says little ("fetch failed"); its cause says why. */
const describe = (error: Error): string => (error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message);

/** What tells one version of a file from the next. */
class Version {
  private readonly etag: string | null;
  private readonly modified: string | null;

  constructor({ headers }: Response) {
    this.etag = headers.get('etag');
    this.modified = headers.get('last-modified');
  }

  /** For If-Range, which takes no weak ETag. */
  get strong(): string | undefined {
    if (this.etag) return this.etag.startsWith('W/') ? undefined : this.etag;
    return this.modified ?? undefined;
  }

  /** Headers may be hidden from a page: only what both show can differ. */
  matches(other: Version): boolean {
    if (this.etag && other.etag) return this.etag === other.etag;
    return !this.modified || !other.modified || this.modified === other.modified;
  }

  toString(): string {
    return this.etag ? `ETag ${this.etag}` : `Last-Modified ${this.modified}`;
  }
}

/** First byte and whole size (-1 if unknown) of what an answer carries. */
function extent(answer: Response, offset: number): { start: number; size: number } {
  const { headers, status } = answer;
  const coded = !['identity', null].includes(headers.get('content-encoding'));
  const length = coded ? NaN : Number.parseInt(headers.get('content-length') ?? '', 10);
  if (status !== 206) return { start: 0, size: Number.isNaN(length) ? -1 : length };
  // A page sees Content-Range of another origin only if the server exposes it; then the request's own offset counts.
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '');
  const start = range ? Number(range[1]) : offset;
  if (start !== offset) throw network(`bytes from ${offset} on`, `bytes from ${start} on`, 'The server does not handle Range requests properly; download the file first.');
  const size = range && range[2] !== '*' ? Number(range[2]) : offset + length;
  return { start, size: Number.isNaN(size) ? -1 : size };
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds);
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    }
    signal?.addEventListener('abort', done);
  });
}
