import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { openModel } from '../../src/files/index.js';
import { openUrl, type UrlOptions } from '../../src/files/url-source.js';
import { expectRefusal } from './support/expect.js';
import { random } from './support/random.js';
import { seedGguf, seedHuggingFace, seedSplit } from './support/seeds.js';
import { onDisk, readWhole } from './support/shared.js';

const { next } = random(7);
const FILE = Uint8Array.from({ length: 3_000_000 }, () => next(256));
const FAST: UrlOptions = { retryDelay: 1 };

interface Behaviour {
  file?: Uint8Array;
  ranges?: boolean;
  etag?: (request: number) => string | undefined;
  /** Last-Modified; with it there is no ETag. */
  modified?: (request: number) => string | undefined;
  /** Milliseconds before the head of an answer, and between its bytes, one by one. */
  delay?: (request: number) => number | undefined;
  trickle?: (request: number) => number | undefined;
  /** Bytes of the answer's body after which request `n` is cut off; undefined: none. */
  cutAfter?: (request: number) => number | undefined;
  status?: (request: number) => number | undefined;
  length?: boolean;
  /** Most bytes per answer. */
  most?: number;
}

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

/** A file server with the given manners; `requests` lists the Range headers it saw. */
async function serve(behaviour: Behaviour, files?: Record<string, Uint8Array>): Promise<{ url: string; requests: (string | undefined)[] }> {
  const requests: (string | undefined)[] = [];
  server = createServer((request, response) => {
    requests.push(request.headers.range);
    const file = files ? files[request.url!.slice(1).replace(/\?.*/, '')] : (behaviour.file ?? FILE);
    if (file) answer(request, response, file, behaviour, requests.length);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${files ? '' : 'model.bin'}`, requests };
}

function answer(request: IncomingMessage, response: ServerResponse, file: Uint8Array, behaviour: Behaviour, number: number): void {
  const { ranges = true, length = true } = behaviour;
  const status = behaviour.status?.(number);
  if (status) return void response.writeHead(status).end();
  const etag = behaviour.etag?.(number) ?? '"one"';
  const wanted = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const modified = behaviour.modified?.(number);
  const guard = request.headers['if-range'];
  const start = ranges && (guard === undefined || guard === (modified ?? etag)) ? wanted : 0;
  if (ranges && start >= file.length) return void response.writeHead(416, { 'content-range': `bytes */${file.length}` }).end();
  const partial = ranges && request.headers.range !== undefined && start === wanted;
  const end = Math.min(file.length, start + (behaviour.most ?? file.length));
  const delay = behaviour.delay?.(number);
  if (delay !== undefined) return void setTimeout(() => response.destroy(), delay);
  response.writeHead(partial ? 206 : 200, {
    ...(behaviour.modified ? modified && { 'last-modified': modified } : { etag }),
    ...(length && { 'content-length': end - start }),
    ...(partial && { 'content-range': `bytes ${start}-${end - 1}/${file.length}` }),
  });
  const trickle = behaviour.trickle?.(number);
  if (trickle !== undefined) {
    let at = start;
    response.flushHeaders();
    const timer = setInterval(() => (response.destroyed ? clearInterval(timer) : void response.write(file.subarray(at, ++at))), trickle);
    return;
  }
  const cut = behaviour.cutAfter?.(number);
  if (cut === undefined) response.end(file.subarray(start, end));
  else response.write(file.subarray(start, start + cut), () => setTimeout(() => response.destroy(), 5));
}

/** Reads `length` bytes from `offset` and checks them. */
async function check(source: Awaited<ReturnType<typeof openUrl>>, offset: number, length: number, file = FILE): Promise<void> {
  const into = new Uint8Array(length);
  await source.read(offset, into);
  expect(Buffer.compare(into, file.subarray(offset, offset + length))).toBe(0);
}

describe('URLs', () => {
  test('ascending reads, with small gaps, flow from one request', async () => {
    const { url, requests } = await serve({});
    const seen: number[] = [];
    const source = await openUrl(url, { onProgress: ({ done, total }) => seen.push(done / total) });
    expect(source.size).toBe(FILE.length);
    for (let at = 0; at < FILE.length; at += 100_001) await check(source, at, Math.min(99_000, FILE.length - at));
    expect(requests).toEqual(['bytes=0-']);
    expect(seen.at(-1)).toBeGreaterThan(0.96);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    await source.close();
  });

  test('jumps open a request each; reads that wait for each other stay in order', async () => {
    const { url, requests } = await serve({});
    const source = await openUrl(url);
    await Promise.all([check(source, 2_500_000, 1000), check(source, 0, 1000), check(source, 1000, 5)]);
    expect(requests).toEqual(['bytes=0-', 'bytes=2500000-', 'bytes=0-']);
    await source.close();
  });

  test('a server without Range is read through', async () => {
    const { url, requests } = await serve({ ranges: false });
    const source = await openUrl(url);
    await check(source, 2_000_000, 10);
    await check(source, 2_500_000, 10);
    expect(requests).toHaveLength(1);
    await check(source, 5, 10); // back: from the start again
    expect(requests).toHaveLength(2);
    await source.close();
  });

  test('an unknown length', async () => {
    const { url } = await serve({ ranges: false, length: false });
    const source = await openUrl(url);
    expect(source.size).toBe(-1);
    await check(source, 0, FILE.length);
    expect(await source.readUpTo!(FILE.length - 4, new Uint8Array(9)).catch(() => -1)).toBe(4);
    expect(source.size).toBe(FILE.length);
    await expectRefusal(() => source.read(FILE.length, new Uint8Array(1)), 'truncated', /a file of 3000000 bytes/);
    await source.close();
  });

  test('a dropped connection resumes at the byte reached', async () => {
    const { url, requests } = await serve({ cutAfter: (request) => (request < 4 ? 700_000 : undefined) });
    const source = await openUrl(url, FAST);
    await check(source, 0, FILE.length);
    expect(requests.length).toBe(4);
    const starts = requests.map((range) => Number(/\d+/.exec(range!)![0]));
    expect(starts[0]).toBe(0);
    for (const [i, start] of starts.slice(1).entries()) expect(start).toBeGreaterThan(starts[i]!);
    await source.close();
  });

  test('a drop without Range starts over and skips', async () => {
    const { url, requests } = await serve({ ranges: false, cutAfter: (request) => (request === 1 ? 1_000_000 : undefined) });
    const source = await openUrl(url, FAST);
    await check(source, 0, FILE.length);
    expect(requests).toHaveLength(2);
    await source.close();
  });

  test('a passing error is tried again, a lasting one is told', async () => {
    const { url } = await serve({ status: (request) => (request < 3 ? 503 : undefined) });
    const source = await openUrl(url, FAST);
    await check(source, 0, 10);
    await source.close();
    server!.removeAllListeners('request');
    server!.on('request', (_: unknown, response: ServerResponse) => void response.writeHead(503).end());
    await expectRefusal(() => openUrl(url, FAST), 'network', /HTTP status 503.*3 attempts/);
  });

  test.each([true, false])('a file that changes while it is downloaded is told (If-Range: %s)', async (ifRange) => {
    const { url } = await serve({ etag: (request) => `"v${request}"`, cutAfter: (request) => (request === 1 ? 1_000_000 : undefined) });
    const source = await openUrl(url, { ...FAST, ifRange });
    await expectRefusal(() => source.read(0, new Uint8Array(FILE.length)), 'bad-file', /ETag "v2" instead of ETag "v1"/);
    await source.close();
  });

  test('answers that bring only a piece of the range are followed by the next request at once', async () => {
    const { url, requests } = await serve({ most: 1_000_000 });
    const source = await openUrl(url, { retryDelay: 1e6 });
    await check(source, 0, FILE.length);
    expect(requests).toEqual(['bytes=0-', 'bytes=1000000-', 'bytes=2000000-']);
    await source.close();
  });

  test('answers that bring nothing are given up', async () => {
    const { url } = await serve({ cutAfter: () => 0 });
    const source = await openUrl(url, { ...FAST, retries: 2 });
    await expectRefusal(() => source.read(0, new Uint8Array(FILE.length)), 'network', /3 attempts/);
    await source.close();
  });

  test.each([
    [404, 'not-found', /404/],
    [410, 'not-found', /410/],
    [401, 'network', /401.*authorisation/],
    [500, 'network', /500/],
  ] as const)('status %i', async (status, code, message) => {
    const { url } = await serve({ status: () => status });
    await expectRefusal(() => openUrl(url, FAST), code, message);
  });

  test('nobody listens', async () => {
    const { url } = await serve({});
    server!.closeAllConnections();
    await new Promise((resolve) => server!.close(resolve));
    await expectRefusal(() => openUrl(url, FAST), 'network', /ECONNREFUSED/);
  });

  test('an empty file', async () => {
    const { url } = await serve({ file: new Uint8Array(0) });
    await expectRefusal(() => openModel(url), 'bad-file', /an empty file/);
  });

  test('a signal stops a download, also between attempts', async () => {
    const control = new AbortController();
    const { url } = await serve({ cutAfter: () => 0 });
    const source = await openUrl(url, { retryDelay: 60_000, signal: control.signal });
    const reading = source.read(0, new Uint8Array(10));
    setTimeout(() => control.abort(), 30);
    await expectRefusal(() => reading, 'aborted', /aborted/);
    await expectRefusal(() => openUrl(url, { signal: control.signal }), 'aborted', /aborted/);
    await source.close();
  });

  test('headers go with every request', async () => {
    const seen: (string | undefined)[] = [];
    const { url } = await serve({});
    server!.prependListener('request', (request: IncomingMessage) => seen.push(request.headers.authorization));
    const source = await openUrl(url, { headers: { authorization: 'Bearer x' } });
    await check(source, 2_000_000, 10);
    expect(seen).toEqual(['Bearer x', 'Bearer x']);
    await source.close();
  });
});

describe('servers that stall', () => {
  test('before the head of the answer', async () => {
    const { url, requests } = await serve({ delay: () => 20_000 });
    await expectRefusal(() => openUrl(url, { ...FAST, timeout: 500 }), 'network', /next to nothing for 0\.5 s.*timeout/);
    expect(requests).toHaveLength(1);
  });

  test('in the middle', async () => {
    const { url } = await serve({ trickle: (request) => (request === 1 ? 20_000 : undefined) });
    const source = await openUrl(url, { ...FAST, timeout: 1000 });
    await expectRefusal(() => source.read(0, new Uint8Array(2000)), 'network', /next to nothing/);
    await source.close();
  });

  test('with a byte now and then', async () => {
    const { url } = await serve({ trickle: () => 10 });
    const source = await openUrl(url, { ...FAST, timeout: 1000 });
    await expectRefusal(() => source.read(0, new Uint8Array(2000)), 'network', /next to nothing/);
    await source.close();
  });

  test('but not while nobody reads', async () => {
    const { url } = await serve({});
    const source = await openUrl(url, { timeout: 1500 });
    await check(source, 0, 1000);
    await new Promise((resolve) => setTimeout(resolve, 1700));
    await check(source, 1000, 100_000);
    await source.close();
  });
});

describe('one version of a file', () => {
  const cutAfter = (request: number) => (request === 1 ? 1_000_000 : undefined);
  const DAY = 'Mon, 30 Nov 2026 10:00:00 GMT';

  test('by Last-Modified', async () => {
    const { url } = await serve({ modified: () => DAY, cutAfter });
    const source = await openUrl(url, FAST);
    await check(source, 0, FILE.length);
    await source.close();
  });

  test('another day is another version', async () => {
    const { url } = await serve({ modified: (request) => (request === 1 ? DAY : DAY.replace('10:', '11:')), cutAfter });
    const source = await openUrl(url, FAST);
    await expectRefusal(() => source.read(0, new Uint8Array(FILE.length)), 'bad-file', /Last-Modified.*instead of Last-Modified/);
    await source.close();
  });

  test('that names none is not resumed', async () => {
    const { url } = await serve({ modified: () => undefined, cutAfter });
    const source = await openUrl(url, FAST);
    await expectRefusal(() => source.read(0, new Uint8Array(FILE.length)), 'network', /which version it is \(ETag, Last-Modified\)/);
    await source.close();
  });

  test('that names none any more is not joined', async () => {
    const { url } = await serve({ modified: (request) => (request === 1 ? DAY : undefined), cutAfter });
    const source = await openUrl(url, { ...FAST, ifRange: false });
    await expectRefusal(() => source.read(0, new Uint8Array(FILE.length)), 'bad-file', /an unnamed version/);
    await source.close();
  });

  test('that names none is read through in one request', async () => {
    const { url, requests } = await serve({ modified: () => undefined });
    const source = await openUrl(url);
    await check(source, 10, 10);
    await source.pause!();
    await check(source, 2_500_000, 10);
    expect(requests).toHaveLength(1);
    await source.close();
  });
});

describe('secrets', () => {
  const told = async (call: () => Promise<unknown>) => {
    const error = await call().then(() => undefined, (reason: Error) => reason);
    return `${error!.message} ${error!.stack} ${JSON.stringify(error)} ${String(error!.cause)}`;
  };

  test('of addresses and headers stand in no message', async () => {
    const { url } = await serve({ status: () => 404 });
    const secret = url.replace('://', '://user:passw0rd@') + '?token=t0psecret';
    for (const status of [404, 403, 503]) {
      server!.removeAllListeners('request');
      server!.on('request', (_: unknown, response: ServerResponse) => void response.writeHead(status).end());
      expect(await told(() => openModel(secret, { ...onDisk, open: (location, options) => openUrl(location, { ...options, ...FAST }) }))).not.toMatch(/passw0rd|t0psecret/);
    }
    server!.closeAllConnections();
    await new Promise((resolve) => server!.close(resolve));
    expect(await told(() => openUrl(secret, { ...FAST, headers: { authorization: 'Bearer abcdef' } }))).not.toMatch(/passw0rd|t0psecret|abcdef/);
  });

  test('a name and a password in an address are sent', async () => {
    const { url } = await serve({});
    let seen: string | undefined;
    server!.prependListener('request', (request: IncomingMessage) => (seen = request.headers.authorization));
    const source = await openUrl(url.replace('://', '://me:p%40ss@'));
    expect(seen).toBe(`Basic ${btoa('me:p@ss')}`);
    await source.close();
  });

  test('a header that cannot be sent is the caller’s error, at once, and not quoted', async () => {
    const started = performance.now();
    for (const headers of [{ authorization: 'Bearer\ns3cret' }, { authorization: 'Bearer s3cret\u2026' }, { 'a b': 's3cret' }] as Record<string, string>[]) {
      const error = await expectRefusal(() => openUrl('http://127.0.0.1:9/', { headers }), 'bad-option', /HTTP headers/);
      expect(`${error.message} ${error.stack} ${String(error.cause)}`).not.toContain('s3cret');
    }
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

test('what the caller’s own function throws is thrown, not tried again', async () => {
  const { url, requests } = await serve({});
  const source = await openUrl(url, { onProgress: () => { throw new RangeError('mine'); } });
  await expect(source.read(0, new Uint8Array(10))).rejects.toThrow('mine');
  expect(requests).toHaveLength(1);
  await source.close();
});

test('what is no address is refused', async () => {
  await expectRefusal(() => openUrl('http://', FAST), 'bad-option', /a URL/);
});

describe('models behind URLs', () => {
  test('a GGUF takes one request', async () => {
    const { url, requests } = await serve({ file: seedGguf() });
    const model = await openModel(url, onDisk);
    await readWhole(model, 100);
    await model.close();
    expect(requests).toEqual(['bytes=0-']);
  });

  test('a GGUF of unknown length, cut short, names the tensor', async () => {
    const { url } = await serve({ file: seedGguf().slice(0, -1000), ranges: false, length: false });
    await expectRefusal(() => openModel(url, onDisk).then(readWhole), 'truncated', /tensor blk\.0\.q4_K/);
  });

  test('an HTML page instead of the file', async () => {
    const { url } = await serve({ file: Buffer.from('<!DOCTYPE html>\n<html><body>Please log in</body></html>') });
    await expectRefusal(() => openModel(url, onDisk), 'bad-file', /an HTML page/);
  });

  test('split models and Hugging Face folders', async () => {
    const split = Object.fromEntries(seedSplit().map((part, i) => [`m-0000${i + 1}-of-00003.gguf`, part]));
    const { url } = await serve({}, { ...split, ...seedHuggingFace(), 'tokenizer.json': Buffer.from('{}') });
    for (const place of ['m-00002-of-00003.gguf', '', 'model.safetensors?download=true', 'config.json']) {
      const model = await openModel(new URL(url + place), onDisk);
      expect(await readWhole(model)).toBeGreaterThan(1000);
      expect(await model.sibling('tokenizer.json')).toEqual(new Uint8Array([123, 125]));
      expect(await model.sibling('vocab.json')).toBeUndefined();
      await model.close();
    }
  });
});
