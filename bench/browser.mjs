// `stonechat bench` in Chromium, in a worker of a cross-origin isolated page (--plain: of one that is not):
//   node bench/browser.mjs [--kernels gemm,q4_0] [--threads 1,2] [--build simd,relaxed] [--model FILE] [--quick] [--json] [--plain]
// CHROMIUM names the browser, /usr/bin/chromium by default. Needs `npm run build`.
import { createReadStream, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, extname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';

const { values: options } = parseArgs({
  options: {
    kernels: { type: 'string' },
    threads: { type: 'string' },
    build: { type: 'string' },
    model: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    plain: { type: 'boolean', default: false },
  },
});

const FOLDER = resolve(import.meta.dirname, '../.cache/bench/browser');
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const TYPES = { '.js': 'text/javascript', '.html': 'text/html' };
const ISOLATED = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

const WORKER = `
import { bench, reportText } from 'stonechat/bench';
addEventListener('message', async ({ data }) => {
  try {
    const report = await bench({ ...data, onProgress: (step) => postMessage({ step }) });
    postMessage({ report, text: reportText(report) });
  } catch (error) {
    postMessage({ error: String(error?.message ?? error) });
  }
});
`;

async function bundleWorker() {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, 'entry.js'), WORKER);
  writeFileSync(join(FOLDER, 'index.html'), '<!doctype html><title>stonechat bench</title><link rel="icon" href="data:,">');
  await build({
    entryPoints: { worker: join(FOLDER, 'entry.js') }, outdir: FOLDER, bundle: true, splitting: true, minify: true, format: 'esm', platform: 'browser', target: 'es2022',
    logLevel: 'error',
  });
}

/** The folder, and the model under its name. */
function serve() {
  const server = createServer(({ url }, response) => {
    const name = basename(new URL(url, 'http://localhost').pathname) || 'index.html';
    const file = options.model && name === basename(options.model) ? options.model : join(FOLDER, name);
    if (!existsSync(file)) return void response.writeHead(404).end();
    const headers = { ...(options.plain ? {} : ISOLATED), 'content-type': TYPES[extname(name)] ?? 'application/octet-stream', 'content-length': statSync(file).size };
    createReadStream(file, { highWaterMark: 1 << 20 }).pipe(response.writeHead(200, headers));
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)));
}

const listOf = (text) => text?.split(',').map((part) => part.trim());

/** Runs in the page. */
const inWorker = (job) =>
  new Promise((done, fail) => {
    const worker = new Worker('worker.js', { type: 'module' });
    worker.onmessage = ({ data }) => ('step' in data ? console.info(data.step) : done(data));
    worker.onerror = ({ message }) => fail(new Error(message));
    worker.postMessage(job);
  });

await bundleWorker();
const server = await serve();
const origin = `http://127.0.0.1:${server.address().port}`;
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
try {
  const page = await browser.newPage();
  page.on('console', (message) => process.stderr.isTTY && process.stderr.write(`\r\u001b[K${message.text()}`));
  await page.goto(origin);
  const { report, text, error } = await page.evaluate(inWorker, {
    kernels: listOf(options.kernels),
    threads: listOf(options.threads)?.map(Number),
    builds: listOf(options.build),
    quick: options.quick,
    ...(options.model && { model: `${origin}/${basename(options.model)}` }),
  });
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  if (error) throw new Error(error);
  console.log(options.json ? JSON.stringify(report, null, 2) : text);
} finally {
  await browser.close();
  server.close();
}
