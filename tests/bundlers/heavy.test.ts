// The bundlers and runtimes that `npm run test:bundlers` installs.
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerOf, askFolder, launch, onPage, PATIENCE, served, WITHOUT_CHROMIUM } from './chromium.js';
import { expectAnswer, expectStory } from './expected.js';
import { command, pageProject, project, TOOLS, WITHOUT_TOOLS } from './workspace.js';

const missing = WITHOUT_TOOLS ?? WITHOUT_CHROMIUM;
const title = (name: string, why = missing): string => `${name}${why ? `: ${why}` : ''}`;

/** Starts a server, waits until it says its address, hands that to `use`, and ends the server with all it has started. */
async function withServer<Result>(cwd: string, list: readonly string[], use: (origin: string) => Promise<Result>): Promise<Result> {
  const path = [join(TOOLS!, 'node_modules/.bin'), process.env['PATH']].join(delimiter);
  const env = { ...process.env, PATH: path, NEXT_TELEMETRY_DISABLED: '1', WRANGLER_SEND_METRICS: 'false', NO_COLOR: '1', CI: '1' };
  const child = spawn(list[0]!, list.slice(1), { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let said = '';
  try {
    return await use(await addressOf(child, (text) => (said += text)));
  } catch (error) {
    throw new Error(`${String(error)}\n${said.slice(-4000)}`, { cause: error });
  } finally {
    process.kill(-child.pid!, 'SIGKILL');
  }
}

function addressOf(child: ChildProcess, hear: (text: string) => string): Promise<string> {
  return new Promise((resolve, reject) => {
    const listen = (chunk: Buffer) => {
      const found = hear(chunk.toString()).match(/http:\/\/(?:localhost|127\.0\.0\.1):\d+/);
      if (found) resolve(found[0].replace('localhost', '127.0.0.1'));
    };
    child.stdout!.on('data', listen);
    child.stderr!.on('data', listen);
    child.on('exit', (code) => reject(new Error(`ended with code ${code}`)));
    child.on('error', reject);
    setTimeout(() => reject(new Error('no address')), PATIENCE / 2).unref();
  });
}

/** Next's server needs a moment after it has said where it is. */
async function textOf(url: string): Promise<string> {
  const response = await fetch(url);
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text.slice(0, 2000)}`);
  return text;
}

describe.skipIf(missing)(title('a page bundled by'), () => {
  let browser: Browser;
  beforeAll(async () => void (browser = await launch()), PATIENCE);
  afterAll(() => browser?.close());

  it('Vite 8, build', async () => {
    const folder = await pageProject('vite-build');
    await command(folder, 'vite', ['build', '--logLevel', 'warn']);
    await expectAnswer(await askFolder(browser, join(folder, 'dist')));
  }, PATIENCE);

  it('Vite 8, build as iife', async () => {
    const folder = await pageProject('vite-iife');
    writeFileSync(join(folder, 'vite.config.js'), `export default { build: { lib: { entry: 'app.js', formats: ['iife'], name: 'app', fileName: () => 'app.js' } } };\n`);
    await command(folder, 'vite', ['build', '--logLevel', 'warn']);
    writeFileSync(join(folder, 'dist/index.html'), readFileSync(join(folder, 'index.html'), 'utf8').replace('type="module"', 'defer'));
    await expectAnswer(await askFolder(browser, join(folder, 'dist')));
  }, PATIENCE);

  it('Vite 8, development server', async () => {
    const folder = await pageProject('vite-dev');
    mkdirSync(join(folder, 'public/models'), { recursive: true });
    cpSync('models/default.gguf', join(folder, 'public/models/story.gguf'));
    await withServer(folder, ['vite', '--host', '127.0.0.1', '--port', '0'], async (origin) => {
      await expectAnswer(await onPage(browser, `${origin}/`, answerOf).catch(() => onPage(browser, `${origin}/`, answerOf))); // it reloads when it has optimised
    });
  }, PATIENCE);

  it('webpack 5', async () => {
    const folder = await pageProject('webpack');
    await command(folder, 'webpack', ['--mode', 'production', '--entry', './app.js', '-o', 'out', '--output-filename', 'app.js']);
    cpSync(join(folder, 'index.html'), join(folder, 'out/index.html'));
    await expectAnswer(await askFolder(browser, join(folder, 'out')));
  }, PATIENCE);

  it.each([
    ['es', '-d', 'out'],
    ['iife', '-o', 'out/app.js'],
  ])('Rollup as %s', async (format, flag, output) => {
    const folder = await pageProject(`rollup-${format}`);
    writeFileSync(join(folder, 'rollup.config.js'), `import resolve from '@rollup/plugin-node-resolve';\nexport default { input: 'app.js', plugins: [resolve({ browser: true })]${format === 'iife' ? ", output: { codeSplitting: false, name: 'app' }" : ''} };\n`);
    await command(folder, 'rollup', ['-c', '-f', format, flag, output, ...(format === 'iife' ? ['--inlineDynamicImports'] : [])]);
    cpSync(join(folder, 'index.html'), join(folder, 'out/index.html'));
    await expectAnswer(await askFolder(browser, join(folder, 'out')));
  }, PATIENCE);

  it.each([true, false])('Parcel 2, with packageExports %s', async (packageExports) => {
    const folder = await pageProject(`parcel-${packageExports}`);
    writeFileSync(join(folder, 'yarn.lock'), ''); // for Parcel the root of the project, whose package.json it reads
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, '@parcel/resolver-default': { packageExports } }));
    await command(folder, 'parcel', ['build', 'index.html', '--no-cache', '--no-source-maps', '--public-url', '/']);
    await expectAnswer(await askFolder(browser, join(folder, 'dist')));
  }, PATIENCE);
});

describe.skipIf(missing)(title('the example of'), () => {
  let browser: Browser;
  beforeAll(async () => void (browser = await launch()), PATIENCE);
  afterAll(() => browser?.close());

  it('Vite', async () => {
    const folder = project('example-vite', 'examples/vite');
    await command(folder, 'vite', ['build', '--logLevel', 'warn']);
    await served(join(folder, 'dist'), (origin) =>
      onPage(browser, origin, async (page) => {
        await page.click('button:not([name])'); // before the model is there: nothing is lost
        await page.waitForFunction(() => (document.querySelector('#story')?.textContent.length ?? 0) > 300);
        await expectStory((await page.textContent('#story'))!.slice(0, 300));
      }),
    );
  }, PATIENCE);

  it('Next 16: client worker, Node route, edge route', async () => {
    const folder = project('example-next', 'examples/next');
    const built = await command(folder, 'next', ['build']);
    expect(built).not.toMatch(/dynamic code evaluation|not allowed in Edge/i);
    await withServer(folder, ['next', 'start', '-H', '127.0.0.1', '-p', '0'], async (origin) => {
      await expectStory(await textOf(`${origin}/api/node`));
      await expectStory(await textOf(`${origin}/api/edge`));
      const story = await onPage(browser, `${origin}/`, async (page) => {
        await page.waitForFunction(() => (document.querySelector('#story')?.textContent.length ?? 0) > 250);
        return page.textContent('#story');
      });
      await expectStory(story!);
    });
  }, PATIENCE);
});

describe.skipIf(WITHOUT_TOOLS)(title('without a browser', WITHOUT_TOOLS), () => {
  it('Cloudflare: workerd through wrangler, also after requests that were given up', async () => {
    const folder = project('example-cloudflare', 'examples/cloudflare');
    await withServer(folder, ['wrangler', 'dev', '--ip', '127.0.0.1', '--port', '0', '--log-level', 'log', '--show-interactive-dev-session=false'], async (origin) => {
      await expectStory(await textOf(origin));
      for (let i = 0; i < 20; i++) {
        const controller = new AbortController();
        const response = await fetch(origin, { signal: controller.signal });
        await response.body!.getReader().read();
        controller.abort();
      }
      await expectStory(await textOf(origin));
    });
  }, PATIENCE);

  it('Cloudflare: stonechat/static with kernels that the worker imports itself', async () => {
    const folder = project('static-cloudflare', 'examples/cloudflare');
    const own = readFileSync(join(folder, 'worker.js'), 'utf8')
      .replace("from 'stonechat';", "from 'stonechat/static';\nimport core from 'stonechat/kernels/core/simd.wasm';\nimport q0 from 'stonechat/kernels/q0/simd.wasm';")
      .replace('{ contextLength: 512 }', "{ contextLength: 512, build: 'simd', kernels: (build, shared, set) => ({ core, q0 })[set] }");
    writeFileSync(join(folder, 'worker.js'), own);
    await withServer(folder, ['wrangler', 'dev', '--ip', '127.0.0.1', '--port', '0', '--show-interactive-dev-session=false'], async (origin) => expectStory(await textOf(origin)));
  }, PATIENCE);

  it.each([
    ['Deno', 'deno', ['run', '--allow-read', '--allow-env', '--allow-sys', '--node-modules-dir=manual', 'story.mjs']],
    ['Bun', 'bun', ['run', 'story.mjs']],
  ])('%s runs the example of Node, and a model in a worker', async (name, program, list) => {
    const folder = project(`example-${program}`, 'examples/node');
    await expectStory(await command(folder, program, list));
    writeFileSync(join(folder, 'story.mjs'), readFileSync(join(folder, 'story.mjs'), 'utf8').replaceAll(/\bload\b/g, 'loadInWorker'));
    await expectStory(await command(folder, program, list));
  }, PATIENCE);
});
