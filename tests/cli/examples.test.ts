// Every example of --help and of the documents is run, in a folder that holds what their names promise.
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/entry/cli/commands.js';
import { HELP, VERSION } from '../../src/entry/cli/options.js';
import { dataPath, hasData } from '../golden/data.js';
import { birdCorpus } from '../train/corpora.js';
import { isBuilt, type Outcome } from './support.js';

const ROOT = join(import.meta.dirname, '../..');
const PAGES = ['README.md', ...readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)];
const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8');

/** Command lines in the shell blocks of a page, without their remarks; lines that end in a backslash go on. */
function shellLines(page: string): string[] {
  const blocks = [...read(page).matchAll(/```sh\n([^]*?)```/g)].map(([, block]) => block!.replaceAll(/\\\n\s*/g, ''));
  const lines = blocks.flatMap((block) => block.split('\n')).map((line) => line.replace(/\s+#\s.*$/, '').trim());
  return lines.filter((line) => /(^|\s)stonechat\s/.test(line)).map((line) => line.replaceAll('npx stonechat', 'stonechat'));
}

/** What a reader waits for, a test need not: fewer steps and seconds, smaller sizes. */
const SHORTER: readonly (readonly [RegExp, string])[] = [
  [/--seconds \d+/, '--seconds 1'],
  [/--steps \d+/, '--steps 4'],
  [/(stonechat compare corpus.txt)$/, '$1 --steps 4'],
  [/(stonechat train corpus.txt -o model.gguf)/, '$1 --steps 4 --config small.json --vocabulary 300'],
  [/(--config small.json)(?!.*--vocabulary)/, '$1 --vocabulary 300'],
  [/(stonechat finetune)/, '$1 --epochs 1'],
  [/--epochs 1 (.*--epochs)/, '$1'],
  [/(stonechat bench)(?! --model)/, '$1 --quick'],
  [/(stonechat bench --model \S+ --kernels model)/, '$1 --quick --threads 1'],
];
const shorter = (line: string): string => SHORTER.reduce((text, [from, to]) => text.replace(from, to), line);

/** Examples that need what a plain clone lacks. */
const needsData = (line: string): boolean => line.includes('stories260K');
/** The whole benchmark takes minutes even where it is quick; tests/cli/bench.test.ts runs parts of it. */
const isLong = (line: string): boolean => /stonechat bench( --json.*)?$/.test(line);

let folder = '';
const at = (name: string): string => join(folder, name);

function shell(line: string): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-euo', 'pipefail', '-c', line], { cwd: folder, env: { ...process.env, PATH: `${at('bin')}${delimiter}${process.env['PATH']}` }, stdio: ['ignore', 'pipe', 'pipe'] });
    const outcome: Outcome = { code: null, out: '', error: '' };
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (outcome.out += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (outcome.error += chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...outcome, code }));
  });
}

const jsonLines = (items: readonly unknown[]): string => items.map((item) => JSON.stringify(item)).join('\n');

function writeTexts(): void {
  const corpus = birdCorpus(60).join('\n<|endoftext|>\n');
  for (const name of ['corpus.txt', 'a.txt', 'b.txt']) writeFileSync(at(name), corpus);
  writeFileSync(at('held-out.txt'), birdCorpus(4).join('\n'));
  writeFileSync(at('small.json'), JSON.stringify({ embedding: 32, layers: 2, heads: 2, kvHeads: 1, context: 32 }));
  writeFileSync(at('texts.jsonl'), jsonLines(['Once', 'upon a time']));
  const examples = Array.from({ length: 16 }, (_, i) => ({ prompt: `The owl ${i}`, completion: i % 2 ? ' sleeps.' : ' flies.' }));
  for (const name of ['examples.jsonl', 'learn.jsonl', 'validate.jsonl']) writeFileSync(at(name), jsonLines(examples));
  writeFileSync(at('pairs.json'), JSON.stringify(examples.map(({ prompt, completion }) => ({ prompt, chosen: completion, rejected: ' barks.' }))));
  writeFileSync(at('talks.jsonl'), jsonLines(examples.map(({ prompt, completion }) => ({ messages: [{ role: 'user', content: prompt }, { role: 'assistant', content: completion }] }))));
  writeFileSync(at('chat.json'), JSON.stringify([{ role: 'user', content: 'What do owls do?' }]));
  writeFileSync(at('more.json'), '{"polite": true}');
  writeFileSync(at('template.jinja'), '{% for m in messages %}{{ m.role }}: {{ m.content }}{{ ", please" if polite }}\n{% endfor %}');
  mkdirSync(at('blimp'));
  writeFileSync(at('blimp/pairs.jsonl'), jsonLines([{ sentence_good: 'The owls sleep.', sentence_bad: 'The owls sleeps.' }]));
  writeFileSync(at('arc_easy_test.jsonl'), jsonLines([{ prompt: 'An owl is a', choices: [' bird', ' stone'], answer_idx: 0 }]));
  writeFileSync(at('lambada_test.jsonl'), jsonLines([{ text: 'The owl sleeps in the old tree' }]));
}

/** Models small enough that all examples take seconds; those of the package where a text is told. */
async function writeModels(): Promise<void> {
  mkdirSync(at('bin'));
  writeFileSync(at('bin/stonechat'), `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'dist/cli.js')}' "$@"\n`);
  chmodSync(at('bin/stonechat'), 0o755);
  for (const name of ['story.gguf', 'm.gguf']) copyFileSync(join(ROOT, 'models/default.gguf'), at(name));
  const made = await shell([
    'stonechat train corpus.txt -o base.gguf --config small.json --vocabulary 300 --batch 4 --steps 4 --no-report -t 1',
    'stonechat quantize base.gguf base-q4_0.gguf --type q4_0 --no-perplexity',
    'stonechat finetune -m base-q4_0.gguf examples.jsonl -o a.gguf --lora --epochs 1 -t 1',
    'cp base.gguf story-f32.gguf; cp a.gguf b.gguf; cp a.gguf adapter.gguf',
    'stonechat finetune -m m.gguf talks.jsonl -o assistant.gguf --template chatml --dequantize --steps 1 -t 1',
    'stonechat convert base.gguf base-hf',
    'mv base-hf/tokenizer.json .',
  ].join(' && '));
  expect(made, made.error).toMatchObject({ code: 0 });
  if (hasData) for (const name of ['stories260K.bin', 'tok512.bin']) copyFileSync(dataPath(`models/llama2c/stories260K/${name}`), at(name));
}

const examples = [...new Set([...COMMANDS.flatMap((command) => command.examples), ...PAGES.flatMap(shellLines)])];

describe.skipIf(!isBuilt)(`examples${isBuilt ? '' : ' (skipped: no dist/cli.js, run npm run build)'}`, () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'stonechat-'));
    writeTexts();
    await writeModels();
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  // One after another, as a reader tries them: some read what others wrote.
  for (const line of examples) {
    const reason = isLong(line) ? ' (skipped: takes minutes, tests/cli/bench.test.ts runs its parts)' : needsData(line) && !hasData ? ' (skipped: no ../shared/data)' : '';
    test.skipIf(reason !== '')(`${line}${reason}`, async () => {
      // A file that stands in the way of the example belongs to one before it.
      for (const name of ['model.gguf.checkpoint', 'small.gguf.checkpoint']) rmSync(at(name), { force: true });
      const { code, error } = await shell(shorter(line));
      expect(code, error).toBe(0);
    }, 120_000);
  }
});

test('the documents name no command and no flag that is not there', () => {
  const flags = new Set([HELP, VERSION, ...COMMANDS.flatMap(({ options }) => options)].map(({ name }) => `--${name}`));
  const names = new Set(COMMANDS.map(({ name }) => name));
  for (const page of PAGES) {
    for (const line of shellLines(page)) {
      const calls = line.split(/[|;&]+/).map((call) => call.trim()).filter((call) => call.startsWith('stonechat '));
      for (const call of calls) for (const [flag] of call.replaceAll(/"[^"]*"/g, '').matchAll(/--[a-z][a-z-]*/g)) expect(flags, `${flag} in ${page}: ${line}`).toContain(flag);
      for (const call of calls) if (/^stonechat [a-z]+( |$)/.test(call)) expect(names, `${call} in ${page}`).toContain(call.split(' ')[1]);
    }
  }
  const page = read('docs/cli.md');
  for (const name of names) expect(page, name).toMatch(new RegExp(`\`${name}\\b`));
  for (const [flag] of page.replaceAll(/```[^]*?```/g, '').matchAll(/(?<=`[^`\n]*)--[a-z][a-z-]*/g)) expect(flags, flag).toContain(flag);
});
