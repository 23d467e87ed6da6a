// Firefox and WebKit, as Debian has them (firefox-esr; webkit2gtk-driver, xvfb).
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundle, expectSameBits, expectSameTraining, FOLDERS, prepareModels, REAL_MODELS } from '../harness.js';
import type { Job, JobResult } from './job.js';
import { firefox, RemoteBrowser, type Start, webkit } from './remote-browser.js';

const find = (name: string): string | undefined => {
  try {
    return execFileSync('which', [name], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
};

/** Debian keeps it beside the library: /usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser. */
function findMiniBrowser(): string | undefined {
  const folders = existsSync('/usr/lib') ? readdirSync('/usr/lib').filter((name) => name.endsWith('-linux-gnu')).map((name) => join('/usr/lib', name)) : [];
  const places = folders.flatMap((folder) => readdirSync(folder).filter((name) => /^webkit(2)?gtk-/.test(name)).map((name) => join(folder, name, 'MiniBrowser')));
  return places.find(existsSync);
}

interface Other {
  name: string;
  start: Start | undefined;
  missing: string;
  /** Whether an isolated page has memory that threads can share. */
  shares: boolean;
}

const FIREFOX = process.env['FIREFOX'] ?? find('firefox-esr') ?? find('firefox');
const MINI_BROWSER = find('xvfb-run') && findMiniBrowser();
const OTHERS: Other[] = [
  { name: 'Firefox', start: FIREFOX ? firefox(FIREFOX) : undefined, missing: 'no firefox-esr (FIREFOX names one)', shares: true },
  ...[false, true].map((shares) => ({
    name: `WebKit${shares ? ' with shared memory' : ''}`,
    start: MINI_BROWSER ? webkit(MINI_BROWSER, shares) : undefined,
    missing: 'no webkit2gtk-driver or no xvfb',
    shares,
  })),
];

describe.each(OTHERS)('$name', ({ start, missing, shares }) => {
  const browser = new RemoteBrowser();

  beforeAll(async () => {
    if (!start) return;
    prepareModels();
    const entries = { entryPoints: ['page', 'worker', 'remote'].map((name) => `tests/runtimes/browser/${name}.ts`) };
    const folder = await bundle('others', '', { ...entries, platform: 'browser', splitting: true, minify: true });
    await browser.start(start, folder, ...FOLDERS, resolve('dist'));
  });
  afterAll(() => browser.stop());

  const successOf = (result: JobResult) => {
    if ('error' in result) throw new Error(`${result.error.name} ${String(result.error.code)}: ${result.error.message}`);
    return result;
  };
  const job: Job = { realModels: REAL_MODELS, builds: 'offered', threads: [1, 2] };

  it('in a worker of an isolated page: the same bits from all builds, with threads where there is shared memory', { timeout: 180_000 }, async (context) => {
    context.skip(!start, missing);
    const { builds, threads, outcomes } = successOf(await browser.run('isolated', 'inWorker', job));
    expect(builds).toContain('simd');
    expect(threads).toBe(shares);
    await expectSameBits(outcomes, builds, threads ? [1, 2] : [1, 1]);
  });

  it('on a plain page: one thread', { timeout: 180_000 }, async (context) => {
    context.skip(!start, missing);
    const { builds, outcomes } = successOf(await browser.run('plain', 'onPage', { ...job, threads: [2] }));
    await expectSameBits(outcomes, builds, [1]);
  });

  it('trains', { timeout: 180_000 }, async (context) => {
    context.skip(!start, missing);
    const { builds, threads, trained } = successOf(await browser.run('isolated', 'inWorker', { ...job, training: true }));
    await expectSameTraining(trained, builds, threads ? [1, 2] : [1, 1]);
  });

  it('under a policy that forbids WebAssembly: one clear error that names what is missing', { timeout: 180_000 }, async (context) => {
    context.skip(!start, missing);
    const result = await browser.run('closed', 'onPage', { ...job, builds: ['simd'], threads: [1] });
    expect(result).toMatchObject({ error: { name: 'StonechatError', code: 'unavailable', message: expect.stringContaining("'wasm-unsafe-eval'") } });
  });
});
