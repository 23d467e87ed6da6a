import { existsSync } from 'node:fs';
import type { Server } from 'node:http';
import { resolve } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Build } from 'stonechat';
import { bundle, expectSameBits, expectSameTraining, FOLDERS, prepareModels, REAL_MODELS } from '../harness.js';
import type { Job, JobResult } from './job.js';
import type { Page } from './page.js';
import { serve } from './server.js';

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const missing = existsSync(executablePath) ? undefined : `no Chromium at ${executablePath} (CHROMIUM names one)`;
const FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
const BUILDS: Build[] = ['scalar', 'simd', 'relaxed'];

const models = { realModels: REAL_MODELS };

type Global = typeof globalThis & { page: Page };

describe.skipIf(missing)(`Chromium${missing ? `: ${missing}` : ''}`, () => {
  let browser: Browser;
  let server: Server;
  let origin: string;

  beforeAll(async () => {
    prepareModels();
    const entries = { entryPoints: ['tests/runtimes/browser/page.ts', 'tests/runtimes/browser/worker.ts'] };
    const folder = await bundle('browser', '', { ...entries, platform: 'browser', splitting: true, minify: true });
    ({ server, origin } = await serve(folder, ...FOLDERS, resolve('dist')));
    browser = await chromium.launch({ executablePath, args: FLAGS });
  });

  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  async function openPage(policy: string) {
    const page = await browser.newPage();
    await page.goto(`${origin}/${policy}/index.html`);
    await page.waitForFunction(() => 'page' in globalThis);
    return page;
  }

  async function inWorker(policy: string, job: Job): Promise<{ result: JobResult; ticks: number }> {
    const page = await openPage(policy);
    const answer = await page.evaluate((asked) => (globalThis as Global).page.inWorker(asked), job);
    await page.close();
    return answer;
  }

  async function onPage(policy: string, job: Job): Promise<JobResult> {
    const page = await openPage(policy);
    const answer = await page.evaluate((asked) => (globalThis as Global).page.onPage(asked), job);
    await page.close();
    return answer;
  }

  const successOf = (result: JobResult) => {
    if ('error' in result) throw new Error(`${result.error.name} ${String(result.error.code)}: ${result.error.message}`);
    return result;
  };
  const outcomesOf = (result: JobResult) => successOf(result).outcomes;

  it('without cross-origin isolation: one thread, whatever is asked for', async () => {
    const { result } = await inWorker('plain', { ...models, builds: ['relaxed'], threads: [2] });
    await expectSameBits(outcomesOf(result), ['relaxed'], [1]);
  });

  it('in a worker of an isolated page: the same bits, and the page stays responsive', async () => {
    const { result, ticks } = await inWorker('isolated', { ...models, builds: BUILDS, threads: [1, 2] });
    await expectSameBits(outcomesOf(result), BUILDS, [1, 2]);
    expect(ticks).toBeGreaterThan(5);
  });

  it('on the page itself, where the thread may not block', async () => {
    await expectSameBits(outcomesOf(await onPage('isolated', { ...models, builds: ['simd'], threads: [1, 2] })), ['simd'], [1, 2]);
  });

  it('under a strict content security policy, with the worker and the kernels served by the page', async () => {
    const job: Job = { ...models, builds: ['relaxed'], threads: [2], workerUrl: '/strict/worker/program.js', kernelsFrom: '/strict/wasm' };
    const { result } = await inWorker('strict', job);
    await expectSameBits(outcomesOf(result), ['relaxed'], [2]);
  });

  it('from a page, as a model in a worker: with and without isolation, and under a strict policy', async () => {
    const job: Job = { ...models, inModelWorker: true, builds: ['relaxed'], threads: [2] };
    await expectSameBits(outcomesOf(await onPage('plain', job)), ['relaxed'], [1]);
    await expectSameBits(outcomesOf(await onPage('isolated', { ...job, threads: [1, 2] })), ['relaxed'], [1, 2]);
    const served = { workerUrl: '/strict/worker/program.js', modelWorkerUrl: '/strict/worker/model-program.js', kernelsFrom: '/strict/wasm' };
    await expectSameBits(outcomesOf(await onPage('strict', { ...job, ...served })), ['relaxed'], [2]);
  });

  it('trains in a worker of an isolated page: the same weights on every build and thread count, and the page stays responsive', async () => {
    const { result, ticks } = await inWorker('isolated', { ...models, builds: BUILDS, threads: [1, 2], training: true });
    await expectSameTraining(successOf(result).trained, BUILDS, [1, 2]);
    expect(ticks).toBeGreaterThan(5);
  });

  it('trains without isolation on one thread, and under a strict policy with what the page serves', async () => {
    const plain = await inWorker('plain', { ...models, builds: ['simd'], threads: [2], training: true });
    await expectSameTraining(successOf(plain.result).trained, ['simd'], [1]);
    const served = { workerUrl: '/strict/worker/program.js', kernelsFrom: '/strict/wasm' };
    const strict = await inWorker('strict', { ...models, builds: ['relaxed'], threads: [2], training: true, ...served });
    await expectSameTraining(successOf(strict.result).trained, ['relaxed'], [2]);
  });

  it('a worker that dies: one clear error, no hang', async () => {
    const { result } = await inWorker('isolated', { ...models, builds: [], threads: [], killWorker: true });
    expect(result).toMatchObject({ error: { name: 'StonechatError', code: 'worker-failed' } });
  });

  it.each([
    ['a worker that the policy forbids', 'strict', { ...models, builds: ['simd'], threads: [2] }],
    ['a model\'s worker that the policy forbids', 'strict', { ...models, inModelWorker: true, builds: ['simd'], threads: [1] }],
    ['a model\'s worker that is not there', 'isolated', { ...models, inModelWorker: true, builds: ['simd'], threads: [1], modelWorkerUrl: '/isolated/nowhere.js' }],
    ['kernels that the policy forbids', 'closed', { ...models, builds: ['simd'], threads: [1] }],
    ['a worker that is not there', 'isolated', { ...models, builds: ['simd'], threads: [2], workerUrl: '/isolated/nowhere.js' }],
    ['kernels that are not there', 'isolated', { ...models, builds: ['simd'], threads: [1], kernelsFrom: '/isolated/nowhere' }],
  ] satisfies [string, string, Job][])('%s: one clear error', async (_, policy, job) => {
    const result = await onPage(policy, job);
    expect(result).toHaveProperty('error.name', 'StonechatError');
    expect(['unavailable', 'worker-failed']).toContain((result as { error: { code: string } }).error.code);
  });
});
