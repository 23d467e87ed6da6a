// What needs nothing but this package, Chromium and Node: in every run of the tests.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, type BuildOptions } from 'esbuild';
import type { Browser, BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askFolder, launch, launchWith, PATIENCE, served, onPage, answerOf, WITHOUT_CHROMIUM } from './chromium.js';
import { expectAnswer, expectStory } from './expected.js';
import { command, pageProject, project } from './workspace.js';

const page = (scripts: string): string => `<!doctype html><meta charset="utf-8"><title>bundled</title><link rel="icon" href="data:,">${scripts}<body></body>`;

it('Node runs its example', async () => {
  const folder = project('node', 'examples/node');
  await expectStory(await command(folder, process.execPath, ['story.mjs']));
}, PATIENCE);

describe.skipIf(WITHOUT_CHROMIUM)(`Chromium${WITHOUT_CHROMIUM ? `: ${WITHOUT_CHROMIUM}` : ''}`, () => {
  let browser: Browser;
  beforeAll(async () => void (browser = await launch()), PATIENCE);
  afterAll(() => browser?.close());

  it.each([
    ['with splitting', { format: 'esm', splitting: true }, 'type="module"'],
    ['without splitting', { format: 'esm' }, 'type="module"'],
    ['as iife', { format: 'iife' }, 'defer'],
  ] satisfies [string, BuildOptions, string][])('esbuild %s', async (name, options, script) => {
    const folder = await pageProject(`esbuild ${name}`);
    await build({ ...options, entryPoints: [join(folder, 'app.js')], outdir: join(folder, 'out'), bundle: true, logLevel: 'error' });
    writeFileSync(join(folder, 'out/index.html'), page(`<script ${script} src="app.js"></script>`));
    await expectAnswer(await askFolder(browser, join(folder, 'out')));
  }, PATIENCE);

  it('a page without a bundler', async () => {
    const folder = await pageProject('plain');
    const map = JSON.stringify({ imports: { stonechat: '/stonechat/stonechat.browser.js' } });
    const path = join(folder, 'index.html');
    writeFileSync(path, page(`<script type="importmap">${map}</script><script type="module" src="app.js"></script>`));
    cpSync('dist', join(folder, 'stonechat'), { recursive: true });
    const fetched: string[] = [];
    const answer = await served(folder, (origin) =>
      onPage(browser, 'about:blank', async (tab) => {
        tab.on('request', (request) => void fetched.push(new URL(request.url()).pathname));
        await tab.goto(`${origin}/`);
        return answerOf(tab);
      }),
    );
    await expectAnswer(answer);
    expect(fetched.filter((name) => name.includes('kernels/')).length).toBeLessThan(5);
  }, PATIENCE);
});

describe.skipIf(WITHOUT_CHROMIUM)(`an extension in Chromium${WITHOUT_CHROMIUM ? `: ${WITHOUT_CHROMIUM}` : ''}`, () => {
  const profiles: string[] = [];
  afterAll(() => profiles.forEach((profile) => rmSync(profile, { recursive: true, force: true })));

  async function prepare(name: string): Promise<string> {
    const folder = project(name, 'examples/extension');
    await command(folder, process.execPath, ['copy.mjs']);
    return folder;
  }

  /** Starts Chromium with the extension; `use` gets the extension's address. */
  async function withExtension(folder: string, use: (context: BrowserContext, address: string) => Promise<void>): Promise<void> {
    const profile = mkdtempSync(join(tmpdir(), 'stonechat-profile-'));
    profiles.push(profile);
    const context = await launchWith(folder, profile);
    context.setDefaultTimeout(PATIENCE / 3);
    try {
      const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent('serviceworker'));
      await use(context, new URL('.', worker.url()).href);
    } finally {
      await context.close();
    }
  }

  /** What the service worker answers to a message of the popup. */
  async function expectServiceWorker(context: BrowserContext, address: string): Promise<void> {
    const popup = await context.newPage();
    await popup.goto(`${address}popup.html`);
    const { story, error } = await popup.evaluate(() =>
      (globalThis as unknown as { chrome: { runtime: { sendMessage(message: object): Promise<{ story: string; error?: string }> } } })
        .chrome.runtime.sendMessage({ prompt: 'Once upon a time' }),
    );
    expect(error).toBeUndefined();
    await expectStory(story);
  }

  it('runs its popup, and its service worker as a module', async () => {
    await withExtension(await prepare('extension'), async (context, address) => {
      const popup = await context.newPage();
      await popup.goto(`${address}popup.html`);
      await popup.waitForFunction(() => document.body.textContent.trim().length > 200);
      await expectStory(await popup.evaluate(() => document.body.textContent.trim()));
      await expectServiceWorker(context, address);
    });
  }, PATIENCE);

  it('runs its service worker as a classic script, bundled by esbuild', async () => {
    const folder = await prepare('extension-classic');
    await build({ entryPoints: [join(folder, 'service-worker.js')], outfile: join(folder, 'classic.js'), bundle: true, format: 'iife', logLevel: 'error' });
    const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as object;
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ ...manifest, background: { service_worker: 'classic.js' } }));
    await withExtension(folder, expectServiceWorker);
  }, PATIENCE);
});
