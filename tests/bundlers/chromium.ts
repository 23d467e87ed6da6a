// What a bundler has made, served and opened in Chromium.
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { extname, join, resolve } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';

const EXECUTABLE = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
export const WITHOUT_CHROMIUM = existsSync(EXECUTABLE) ? undefined : `no Chromium at ${EXECUTABLE} (CHROMIUM names one)`;
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const TYPES: Record<string, string> = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm' };
const MODEL = resolve('models/default.gguf');
export const PATIENCE = 300_000;

/** What fixtures/page/app.js leaves as `answer`. */
export interface Answer {
  readonly text: string;
  readonly logitsHash: string;
  readonly chat: string;
  readonly ids: number[];
}
export type PageAnswer = { readonly here: Answer; readonly there: Answer; readonly refusal: string } | { readonly error: string };

export const launch = (): Promise<Browser> => chromium.launch({ executablePath: EXECUTABLE, args: FLAGS });

/** With an extension loaded: Chromium takes extensions only into a profile on disk. */
export const launchWith = (extension: string, profile: string) =>
  chromium.launchPersistentContext(profile, { executablePath: EXECUTABLE, headless: false, args: [...FLAGS.slice(1), '--headless=new', `--disable-extensions-except=${extension}`, `--load-extension=${extension}`] });

/** The files of a folder, and the model of the package as /models/story.gguf. */
function serve(folder: string): Promise<{ server: Server; origin: string }> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const path = pathname === '/models/story.gguf' ? MODEL : join(folder, pathname === '/' ? 'index.html' : decodeURIComponent(pathname));
    if (!existsSync(path) || !statSync(path).isFile()) return void response.writeHead(404).end('not found');
    response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream', 'content-length': statSync(path).size });
    createReadStream(path).pipe(response);
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done({ server, origin: `http://127.0.0.1:${(server.address() as { port: number }).port}` })));
}

/** Opens a page and hands it to `use`; what it logs as an error goes into an error. */
export async function onPage<Result>(browser: Browser, url: string, use: (page: Page) => Promise<Result>): Promise<Result> {
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => void (message.type() === 'error' && complaints.push(message.text())));
  try {
    page.setDefaultTimeout(PATIENCE / 2);
    await page.goto(url);
    return await use(page);
  } catch (error) {
    throw new Error(`${String(error)}\n${complaints.join('\n')}`, { cause: error });
  } finally {
    await page.close();
  }
}

/** What the page of fixtures/page answers, and what README's snippet has written by then. */
export async function answerOf(page: Page): Promise<{ answer: PageAnswer; story: string }> {
  await page.waitForFunction(() => 'answer' in globalThis);
  const answer = await page.evaluate(() => (globalThis as unknown as { answer: Promise<PageAnswer> }).answer);
  await page.waitForFunction(() => document.body.textContent.trim().length > 100);
  return { answer, story: await page.evaluate(() => document.body.textContent.trim()) };
}

/** Serves a folder and asks its page. */
export async function askFolder(browser: Browser, folder: string): Promise<{ answer: PageAnswer; story: string }> {
  const { server, origin } = await serve(folder);
  try {
    return await onPage(browser, `${origin}/`, answerOf);
  } finally {
    server.close();
  }
}

/** Serves a folder for as long as `use` takes. */
export async function served<Result>(folder: string, use: (origin: string) => Promise<Result>): Promise<Result> {
  const { server, origin } = await serve(folder);
  try {
    return await use(origin);
  } finally {
    server.close();
  }
}
