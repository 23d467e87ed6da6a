// Every snippet of the documents is run: in this Node, or where the list below says.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transform } from 'esbuild';
import { beforeAll, describe, expect, it } from 'vitest';
import { command, project } from '../bundlers/workspace.js';
import { codeSnippets, type Snippet } from './snippets.js';

/** Snippets that no Node can run, by words of theirs, with who runs them. */
const ELSEWHERE: readonly (readonly [string, string])[] = [
  ['loadInWorker(', 'tests/bundlers/short.test.ts, in Chromium'],
  ['workerUrl:', 'tests/runtimes/browser, under a strict policy'],
  ['modelWorkerUrl:', 'tests/bundlers/short.test.ts, as the extension'],
  ["from 'stonechat/static'", 'tests/bundlers/short.test.ts, as the extension'],
  ['fetch(`/kernels/', 'tests/runtimes/browser, under a strict policy'],
  ["from 'stonechat/kernels/core/simd.wasm'", 'tests/bundlers/heavy.test.ts, in workerd'],
  ["from 'stonechat/bench'", 'tests/bench: all of it takes minutes'],
];
const elsewhere = ({ code }: Snippet) => ELSEWHERE.find(([words]) => code.includes(words));

/** What a reader waits for, a test need not. */
const SHORTER: readonly (readonly [RegExp, string])[] = [
  [/steps: \d+/, 'steps: 2'],
  [/epochs: \d+/, 'epochs: 1, threads: 1'],
  [/vocabularySize: 4096/, 'vocabularySize: 260'],
  [/'story-hf\/'/, "'base-q4_0.gguf'"],
];
const shorter = (code: string): string => SHORTER.reduce((text, [from, to]) => text.replace(from, to), code);

const PATIENCE = 240_000;
let folder: string;

async function script({ file, line, code, language }: Snippet): Promise<string> {
  const name = `${file.replaceAll(/[/.]/g, '-')}-${line}.mjs`;
  const { code: plain } = await transform(shorter(code), { loader: language as 'ts', supported: { using: false } });
  writeFileSync(join(folder, name), plain);
  return name;
}

beforeAll(() => {
  folder = project('snippets', 'tests/docs');
  mkdirSync(join(folder, 'models'), { recursive: true });
  for (const name of ['story.gguf', 'models/story.gguf', 'base-q4_0.gguf']) copyFileSync('models/default.gguf', join(folder, name));
});

describe('the snippet of', () => {
  const here = codeSnippets().filter((snippet) => !elsewhere(snippet) && !snippet.code.includes('export default'));

  it.each(here.map((snippet) => [`${snippet.file}:${snippet.line}`, snippet] as const))('%s runs', async (_, snippet) => {
    await command(folder, process.execPath, ['--import', './setup.mjs', await script(snippet)]);
  }, PATIENCE);

  it.each(ELSEWHERE.filter(([words]) => codeSnippets().some(({ code }) => code.includes(words))))('with %s is run elsewhere: %s', () => {});

  it('README for Cloudflare answers, forgets a failed load, and keeps no session of an aborted request', async () => {
    const snippet = codeSnippets().find(({ code }) => code.includes('export default'))!;
    const program = `
      import { readFileSync } from 'node:fs';
      const file = readFileSync('story.gguf');
      let fails = true;
      globalThis.fetch = async () => (fails ? new Response('', { status: 404 }) : new Response(file, { headers: { 'content-length': file.length } }));
      const { default: worker } = await import('./${await script(snippet)}');
      const ask = (signal) => worker.fetch(new Request('http://worker/', { method: 'POST', body: 'Once upon a time', signal }));
      const failed = await ask().catch((error) => error.code);
      fails = false;
      const text = await (await ask()).text();
      const memory = () => process.memoryUsage().arrayBuffers;
      const aborted = async () => {
        const controller = new AbortController();
        const answer = ask(controller.signal).catch((error) => error.code);
        setImmediate(() => controller.abort());
        return answer;
      };
      const codes = new Set();
      for (let i = 0; i < 20; i++) codes.add(await aborted());
      const before = memory();
      for (let i = 0; i < 60; i++) codes.add(await aborted());
      console.log(JSON.stringify({ failed, text, codes: [...codes], grown: memory() - before }));`;
    writeFileSync(join(folder, 'cloudflare.mjs'), program);
    const said = JSON.parse(await command(folder, process.execPath, ['cloudflare.mjs'])) as { failed: string; text: string; codes: string[]; grown: number };
    expect(said).toMatchObject({ failed: 'not-found', codes: ['aborted'] });
    expect(said.text.length).toBeGreaterThan(100);
    expect(said.grown).toBeLessThan(4 << 20);
  }, PATIENCE);
});
