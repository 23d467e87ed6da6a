import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dataPath, hasData, titled } from '../golden/data.js';
import { isBuilt, run } from './support.js';

const MODEL = dataPath('models/derived/stories260K/stories260K-F32.gguf');
const unbuilt = isBuilt ? '' : ' (skipped: no dist/cli.js, run npm run build)';
const STORY = 'Once upon a time, there was a little girl named Lily. She loved to play outside in the park.';

let folder = '';
const path = (name: string) => join(folder, name);
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'stonechat-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!hasData || !isBuilt)(`${titled('judging')}${unbuilt}`, () => {
  test('eval: perplexity, calibration with a picture, and the tasks', async () => {
    writeFileSync(path('story.txt'), STORY);
    writeFileSync(path('pairs.jsonl'), `${JSON.stringify({ sentence_good: 'She was happy.', sentence_bad: 'Happy she was was.' })}\n`);
    writeFileSync(path('words.jsonl'), `${JSON.stringify({ text: 'Once upon a time' })}\n`);
    const { code, out, error } = await run(['eval', '-m', MODEL, '--text', path('story.txt'), '--picture', path('rel.svg'), '--blimp', path('pairs.jsonl'), '--lambada', path('words.jsonl'), '--json']);
    expect({ code, error }).toEqual({ code: 0, error: '' });
    const found = JSON.parse(out) as { text: { perplexity: number; calibration: { tokens: number } }; blimp: unknown; lambada: unknown };
    expect(found.text.perplexity).toBeGreaterThan(1);
    expect(found.text.perplexity).toBeLessThan(6);
    expect(found).toMatchObject({ blimp: { accuracy: 1 }, lambada: { accuracy: 1 } });
    expect(readFileSync(path('rel.svg'), 'utf8')).toMatch(/^<svg /);
  });

  test('eval says what is missing', async () => {
    writeFileSync(path('bad.jsonl'), '{"sentence_good": "a"}\n');
    const text = (name: string) => run(['eval', '-m', MODEL, '--text', name]);
    const [nothing, field, file, folder] = await Promise.all([run(['eval', '-m', MODEL]), run(['eval', '-m', MODEL, '--blimp', path('bad.jsonl')]), text('/no/such'), text(path('.'))]);
    expect(nothing).toMatchObject({ code: 2, error: expect.stringContaining('--text FILE') });
    expect(field).toMatchObject({ code: 1, error: expect.stringContaining('sentence_bad') });
    expect(file).toMatchObject({ code: 1, error: expect.stringContaining('Expected a file /no/such, found none.') });
    expect(folder).toMatchObject({ code: 1, error: expect.stringMatching(/Expected a file, found the folder/) });
  });

  test('documents end where they end for train, and begin anew', async () => {
    const text = (name: string, ...more: string[]) => run(['eval', '-m', MODEL, '--text', path(name), '--json', ...more]).then(({ out }) => (JSON.parse(out) as { text: Record<string, number> }).text);
    writeFileSync(path('two.txt'), `\ufeff${STORY}\r\n<|endoftext|>\r\n${STORY}\r\n`);
    writeFileSync(path('story.txt'), STORY);
    writeFileSync(path('dashes.txt'), `${STORY}\n---\n${STORY}`);
    const [one, two, first, dashes] = await Promise.all([text('story.txt'), text('two.txt'), text('two.txt', '--limit', '1'), text('dashes.txt', '--separator', '---')]);
    expect(two).toMatchObject({ documents: 2, tokens: 2 * one!['tokens']!, bytes: 2 * one!['bytes']!, perplexity: expect.closeTo(one!['perplexity']!, 9) });
    expect({ ...first, file: '' }).toEqual({ ...one, file: '' });
    expect({ ...dashes, file: '' }).toEqual({ ...two, file: '' });
  });

  test('what is no text, no question or no limit is refused', async () => {
    writeFileSync(path('latin1.txt'), Buffer.from('Ein St\u00fcck', 'latin1'));
    writeFileSync(path('wide.txt'), Buffer.from('Hello there', 'utf16le'));
    writeFileSync(path('answer.jsonl'), '{"prompt": "a", "choices": ["b"], "answer_idx": 1}\n');
    writeFileSync(path('none.jsonl'), '\ufeff{"prompt": "a", "choices": [], "answer_idx": 0}\r\n');
    writeFileSync(path('broken.jsonl'), '{"text": "a b"}\n{"text": }\n');
    const found = await Promise.all([
      run(['eval', '-m', MODEL, '--text', path('latin1.txt')]), run(['eval', '-m', MODEL, '--text', path('wide.txt')]), run(['eval', '-m', MODEL, '--choices', path('answer.jsonl')]),
      run(['eval', '-m', MODEL, '--choices', path('none.jsonl')]), run(['eval', '-m', MODEL, '--lambada', path('broken.jsonl')]), run(['eval', '-m', MODEL, '--lambada', path('broken.jsonl'), '--limit', '-1']),
    ]);
    const messages = [/offset 6, as in Latin-1/, /offset 1, as in UTF-16LE/, /answer_idx/, /answer_idx/, /JSON in line 2 of .*broken\.jsonl, found "\}" at column 10/, /--limit to be a whole number of at least 1/];
    messages.forEach((message, i) => expect(found[i]).toMatchObject({ code: i === 5 ? 2 : 1, error: expect.stringMatching(message) }));
  });

  test('trust marks the least certain words, and judges a given text', async () => {
    const [answer, given] = await Promise.all([
      run(['trust', 'Once upon a time', '-m', MODEL, '--temperature', '0', '--max-tokens', '20', '--html', path('t.html')]),
      run(['trust', '--judge', 'Once upon a time there was a tractor.', '-m', MODEL, '--spans', '1', '--json']),
    ]);
    expect(answer).toMatchObject({ code: 0, out: expect.stringMatching(/^Once upon a time.*\[.+\][\s\S]*least certain:/) });
    expect(readFileSync(path('t.html'), 'utf8')).toContain('<!doctype html>');
    expect((JSON.parse(given.out) as { spans: { text: string }[] }).spans.map(({ text }) => text)).toEqual(['tractor.']);
  });

  test('quantize: smaller files that read as well, and say how well', async () => {
    const of = async (type: string, ...more: string[]) => {
      const { code, out, error } = await run(['quantize', MODEL, path(`${type}.gguf`), '--type', type, '--json', ...more]);
      expect({ code, error }).toEqual({ code: 0, error: '' });
      return JSON.parse(out) as { before: { fileBytes: number; perplexity: number }; after: { fileBytes: number; perplexity: number } };
    };
    const [q8, q4] = await Promise.all([of('q8_0'), of('q4_0', '--pure')]);
    expect(q8.after.perplexity / q8.before.perplexity).toBeCloseTo(1, 1);
    expect(q4.after.perplexity / q4.before.perplexity).toBeGreaterThan(1.001);
    expect(q4.after.perplexity / q4.before.perplexity).toBeLessThan(1.25);
    expect(q4.after.fileBytes).toBeLessThan(0.75 * q8.after.fileBytes);
    expect(q8.after.fileBytes).toBeLessThan(0.35 * q8.before.fileBytes);
  });

  test('quantize refuses unknown types, models without a tokenizer and a missing output', async () => {
    const [type, tokenizer, files] = await Promise.all([
      run(['quantize', MODEL, path('x.gguf'), '--type', 'q3_K']),
      run(['quantize', dataPath('models/llama2c/stories260K/stories260K.bin'), path('x.gguf'), '--type', 'q8_0']),
      run(['quantize', MODEL, '--type', 'q8_0']),
    ]);
    expect(type).toMatchObject({ code: 2, error: expect.stringContaining('q4_K_M') });
    expect(tokenizer).toMatchObject({ code: 1, error: expect.stringContaining('--tokenizer') });
    expect(files).toMatchObject({ code: 2, error: expect.stringContaining('two files') });
    expect(existsSync(path('x.gguf'))).toBe(false);
  });

  test('convert: to a Hugging Face folder and back, and from llama2.c, with the same story', async () => {
    const tokenizer = dataPath('models/llama2c/stories260K/tok512.bin');
    const there = await run(['convert', MODEL, path('hf'), '--json']);
    expect(there).toMatchObject({ code: 0, error: '' });
    expect((JSON.parse(there.out) as { files: { path: string }[] }).files.map((file) => file.path)).toEqual(
      ['model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'generation_config.json', 'config.json'].map((name) => join(path('hf'), name)),
    );
    const [back, other] = await Promise.all([run(['convert', path('hf'), path('back.gguf')]), run(['convert', dataPath('models/llama2c/stories260K/stories260K.bin'), path('l2c.gguf'), '--type', 'f32', '--tokenizer', tokenizer])]);
    expect([back, other]).toMatchObject([{ code: 0, out: expect.stringMatching(/back\.gguf +1\.01 MiB/) }, { code: 0 }]);
    const stories = await Promise.all([MODEL, path('hf'), path('back.gguf'), path('l2c.gguf')].map((model) => run(['generate', 'Once upon a time', '-m', model, '--temperature', '0', '--max-tokens', '25'])));
    expect(new Set(stories.map(({ out }) => out)).size).toBe(1);
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
  });

  test('convert says what it can write', async () => {
    const [one, file, type] = await Promise.all([run(['convert', MODEL]), run(['convert', MODEL, path('x.safetensors')]), run(['convert', MODEL, path('hf2/deep'), '--type', 'q8_0'])]);
    expect(one).toMatchObject({ code: 2, error: expect.stringContaining('what to write') });
    expect(file).toMatchObject({ code: 2, error: expect.stringContaining('a folder') });
    expect(type).toMatchObject({ code: 2, error: expect.stringContaining('--type f16') });
    expect(existsSync(path('hf2')), 'a folder made for nothing').toBe(false);
  });
});
