// One count of all that is loaded: it never falls, and ends with all done.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { load, type Progress } from '../../src/entry/node.js';
import { LoadMeter } from '../../src/entry/progress.js';
import { dataPath, hasData, titled } from '../golden/data.js';

const PATH = 'models/default.gguf';
const bytes = readFileSync(PATH);
const server = createServer(({ headers }, response) => {
  const [, from = '0', to = ''] = /bytes=(\d+)-(\d*)/.exec(headers.range ?? '') ?? [];
  const end = to === '' ? bytes.length - 1 : Math.min(Number(to), bytes.length - 1);
  response.writeHead(206, { 'content-range': `bytes ${from}-${end}/${bytes.length}`, 'content-length': end - Number(from) + 1, etag: '"1"', 'accept-ranges': 'bytes' });
  response.end(bytes.subarray(Number(from), end + 1));
});
let address = '';
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/m.gguf`;
});
afterAll(() => server.close());

function expectOneCount(seen: readonly Progress[]): void {
  expect(seen.length).toBeGreaterThan(0);
  seen.forEach(({ done, total }, i) => {
    expect(done).toBeGreaterThanOrEqual(seen[i - 1]?.done ?? 0);
    if (total >= 0) expect(done).toBeLessThanOrEqual(total);
  });
  const last = seen.at(-1)!;
  expect(last).toEqual({ phase: 'load', done: last.total, total: last.total });
  expect(new Set(seen.map(({ total }) => total).filter((total) => total >= 0)).size).toBe(1);
}

describe('progress of load', () => {
  it.each<[string, () => Parameters<typeof load>[0], boolean]>([
    ['a path', () => PATH, false],
    ['bytes', () => new Uint8Array(bytes), false],
    ['a Blob', () => new Blob([bytes]), false],
    ['a stream', () => new Blob([bytes]).stream(), true],
    ['an address', () => address, true],
  ])('of %s is one count', async (_, source, downloads) => {
    const seen: Progress[] = [];
    using model = await load(source(), { onProgress: (progress) => seen.push({ ...progress }) });
    expectOneCount(seen);
    expect(seen.some(({ phase }) => phase === 'download')).toBe(downloads);
    if (downloads) expect(seen.slice(0, -1).every(({ phase }) => phase === 'download')).toBe(true);
    expect(model.info.warnings).toEqual([]);
  });

  it('adds up several files', () => {
    const seen: Progress[] = [];
    const meter = new LoadMeter((progress) => seen.push(progress));
    const [one, two] = [meter.part(), meter.part()];
    one({ phase: 'download', done: 10, total: 100 });
    two({ phase: 'download', done: 5, total: 50 });
    one({ phase: 'download', done: 100, total: 100 });
    meter.hear({ phase: 'load', done: 20, total: 140 });
    two({ phase: 'download', done: 48, total: 50 });
    meter.hear({ phase: 'load', done: 140, total: 140 });
    expect(seen.map(({ phase, done, total }) => `${phase} ${done}/${total}`)).toEqual(['download 10/100', 'download 15/150', 'download 105/150', 'download 148/150', 'load 150/150']);
  });
});

describe('a context longer than the model was trained on', () => {
  it('is said', async () => {
    using model = await load(PATH, { contextLength: 4096 });
    expect(model.info.contextLength).toBe(4096);
    expect(model.info.warnings).toEqual([expect.stringMatching(/context of 4096 tokens is longer than the \d+ that the model was trained on/)]);
  });

  it.skipIf(!hasData)(titled('is said where there are no positions for it'), async () => {
    using model = await load(dataPath('hf-tiny/gpt2'), { contextLength: 16384 });
    expect(model.info.contextLength).toBe(model.info.trainedContextLength);
    expect(model.info.warnings).toEqual([expect.stringContaining('no positions beyond')]);
  });
});
