import { StonechatError } from '../errors.js';
import type { OpenOptions } from '../host/host.js';
import { Flow, inTurn } from './flow.js';
import { shown } from './place.js';
import { aborted, badFile, badOption, network, notFound, quote, truncated } from './refuse.js';
import { endsAt } from './sources.js';
import type { ByteSource } from './types.js';

/** Gaps up to this are read through; a new request costs more. */
const READ_THROUGH_BYTES = 1 << 20;
const MOST_PAUSE = 8000;
/** Milliseconds that a server may send nothing, and how few bytes are nothing. */
const TIMEOUT = 60_000;
const LEAST_BYTES = 1024;
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

/** What the caller's own function threw: its matter. */
class Thrown {
  constructor(readonly error: unknown) {}
}

/**
 * A file behind a URL. Reads in ascending order flow from one open response; a jump opens a new one with Range.
 * A dropped connection is resumed at the byte reached, if the file is still the same.
 * @throws StonechatError `bad-option`, `not-found`, `network` with the HTTP status, `aborted`.
 */
export async function openUrl(url: string | URL, options: UrlOptions = {}): Promise<ByteSource> {
  const { href, headers } = addressOf(String(url), options.headers);
  const source = new UrlSource(href, headers, options);
  await source.connect();
  return source;
}

/** Names and passwords in an address go where fetch takes them. */
function addressOf(location: string, given: OpenOptions['headers']): { href: string; headers: Headers } {
  const headers = new Headers();
  if (/^(blob|data):/i.test(location)) return { href: location, headers };
  for (const [name, value] of given && Symbol.iterator in given ? (given as Iterable<[string, string]>) : Object.entries(given ?? {})) {
    try {
      headers.set(name, value);
    } catch {
      // Without a cause: it would quote the value, which may be a secret.
      throw badOption('HTTP headers that can be sent', `a name or value that cannot, ${quote(name)}`, 'Values are one line of Latin-1 characters: look for a line break behind a token.');
    }
  }
  try {
    const url = new URL(location);
    const { username, password } = url;
    url.username = url.password = url.hash = '';
    if ((username || password) && !headers.has('authorization')) headers.set('authorization', `Basic ${btoa(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`)}`);
    return { href: url.href, headers };
  } catch {
    throw badOption('a URL', quote(shown(location)), 'Check the address.');
  }
}

class UrlSource implements ByteSource {
  readonly name: string;
  readonly remote = true;
  size = -1;
  private flow: Flow | undefined;
  private ranges = false;
  private version: Version | undefined;
  /** For progress: bytes of the file seen so far. */
  private reached = 0;
  /** Milliseconds waited, and bytes that came, since there was a sign of life. */
  private waited = 0;
  private arrived = 0;
  private readonly turn = inTurn();

  constructor(
    private readonly href: string,
    private readonly headers: Headers,
    private readonly options: UrlOptions,
  ) {
    this.name = shown(href);
  }

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

  /** Of a file that names no version the connection stays: another could be to another file. */
  pause(): Promise<void> {
    return this.turn(async () => (this.isVersioned ? this.drop() : undefined));
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
    const got = flow.position === offset ? await this.patiently(() => flow.pull(into)) : 0;
    if (got === 0) await this.ended(flow);
    else this.live(got);
    this.progress(flow.position);
    return got;
  }

  /** The open response, moved on to `offset`, or a new one. */
  private async seek(offset: number): Promise<Flow> {
    const gap = this.flow ? offset - this.flow.position : -1;
    if (gap < 0 || (this.ranges && this.isVersioned && gap > READ_THROUGH_BYTES)) await this.request(offset);
    const flow = this.flow!;
    while (flow.position < offset) {
      const skipped = await this.patiently(() => flow.skip(offset - flow.position));
      if (skipped === 0) break;
      this.live(skipped);
      this.progress(flow.position);
    }
    return flow;
  }

  /** Gives up when bytes do not come for too long. */
  private async patiently<T>(work: () => Promise<T>): Promise<T> {
    const { timeout = TIMEOUT } = this.options;
    const started = performance.now();
    const left = Math.max(0, timeout - this.waited);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      if (left < 2 ** 31) timer = setTimeout(() => reject(this.stalled(timeout)), left);
    });
    try {
      return await Promise.race([work(), late]);
    } finally {
      clearTimeout(timer);
      this.waited += performance.now() - started;
    }
  }

  private stalled(timeout: number): StonechatError {
    void this.drop();
    return network(`${this.name} to be sent`, `next to nothing for ${timeout / 1000} s`, 'Check the connection and try again, or allow more time (timeout, in milliseconds).');
  }

  private live(bytes: number): void {
    this.arrived += bytes;
    if (this.arrived < LEAST_BYTES) return;
    this.waited = this.arrived = 0;
  }

  /** Whether two answers can be known to be of the same file. */
  private get isVersioned(): boolean {
    return this.version?.isKnown === true || /^(blob|data):/i.test(this.href);
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
    if (this.reached > 0 && !this.isVersioned) throw this.unversioned();
    const { signal } = this.options;
    const control = new AbortController();
    const abort = () => control.abort(signal?.reason);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    this.hangUp = () => {
      signal?.removeEventListener('abort', abort);
      control.abort();
    };
    const headers = new Headers(this.headers);
    headers.set('range', `bytes=${offset}-`);
    const validator = this.options.ifRange === false ? undefined : this.version?.strong;
    if (validator) headers.set('if-range', validator);
    const answer = await this.patiently(() => (this.options.fetch ?? fetch)(this.href, { headers, signal: control.signal }));
    if (!answer.ok) return this.refuse(answer, offset);
    const { start, size } = extent(answer, offset);
    this.compare(new Version(answer), size);
    this.ranges ||= answer.status === 206;
    if (this.size < 0) this.size = size;
    this.flow = new Flow(answer.body ?? new Blob([]).stream(), start);
  }

  /** Ends the request under way. */
  private hangUp = (): void => {};

  private unversioned(): StonechatError {
    const remedy = 'Download the file first, or have the server send one of these, so that parts of two versions are never joined.';
    return network(`${this.name} to say which version it is (ETag, Last-Modified)`, 'neither, and a connection that ended early', remedy);
  }

  /** Every answer must come from the same version of the file. */
  private compare(version: Version, size: number): void {
    this.version ??= version;
    const sizes = this.size >= 0 && size >= 0 && size !== this.size;
    if (!sizes && (this.version.matches(version) || this.reached === 0 || /^(blob|data):/i.test(this.href))) return;
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
        if (cause instanceof Thrown) throw cause.error;
        if (signal?.aborted) throw aborted(signal, `downloading ${this.name}`);
        if (cause instanceof StonechatError) throw cause;
        await this.drop();
        if (failures >= retries) throw this.giveUp(failures + 1, cause);
        await pause(Math.min(retryDelay * (1 << failures), MOST_PAUSE), signal);
      }
    }
  }

  private giveUp(attempts: number, cause: unknown): StonechatError {
    const reason = this.describe(cause);
    const refuse = cause instanceof Passing && reason.startsWith('the answer ended') ? truncated : network;
    return refuse(`${this.name} to be sent`, `${reason} (${attempts} attempts)`);
  }

  /** fetch says little ("fetch failed"); its cause says why. Neither may repeat the address or a header, which can hold secrets. */
  private describe(cause: unknown): string {
    if (!(cause instanceof Error)) return 'an unknown failure';
    const text = cause.cause instanceof Error ? `${cause.message}: ${cause.cause.message}` : cause.message;
    const secrets = [this.href, new URL(this.href).search, ...this.headers.values()].filter((secret) => secret.length > 3);
    return secrets.reduce((clean, secret) => clean.replaceAll(secret, '…'), text);
  }

  private progress(position: number): void {
    if (position <= this.reached) return;
    this.reached = position;
    try {
      this.options.onProgress?.({ phase: 'download', done: position, total: this.size });
    } catch (error) {
      throw new Thrown(error);
    }
  }

  private async drop(): Promise<void> {
    const { flow } = this;
    this.flow = undefined;
    this.hangUp();
    await flow?.cancel();
  }
}

/** What tells one version of a file from the next. */
class Version {
  private readonly etag: string | null;
  private readonly modified: string | null;

  constructor({ headers }: Response) {
    this.etag = headers.get('etag');
    this.modified = headers.get('last-modified');
  }

  get isKnown(): boolean {
    return (this.etag ?? this.modified) !== null;
  }

  /** For If-Range, which takes no weak ETag. */
  get strong(): string | undefined {
    if (this.etag && !this.etag.startsWith('W/')) return this.etag;
    return this.modified ?? undefined;
  }

  /** By what both show: headers may be hidden from a page. */
  matches(other: Version): boolean {
    if (this.etag && other.etag) return this.etag === other.etag;
    return this.modified !== null && this.modified === other.modified;
  }

  toString(): string {
    return this.etag ? `ETag ${this.etag}` : this.modified ? `Last-Modified ${this.modified}` : 'an unnamed version';
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
