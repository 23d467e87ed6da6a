import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createStonechat } from '../../src/entry/load.js';
import { nodeHost } from '../../src/host/node.js';

const { loadTokenizer } = createStonechat(nodeHost());
const path = 'models/default.gguf';
const bytes = new Uint8Array(readFileSync(path));
const json = JSON.stringify({ model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2, '</s>': 3 }, merges: ['a b'], unk_token: 'a' }, added_tokens: [] });
const folder = mkdtempSync(join(tmpdir(), 'stonechat-tokenizer-'));
afterAll(() => rmSync(folder, { recursive: true }));
const inFolder = (name: string, files: Record<string, string | Uint8Array>): string => {
  const at = mkdtempSync(join(folder, name));
  for (const [file, content] of Object.entries(files)) writeFileSync(join(at, file), content);
  return at;
};

/** A file of `size` bytes, of which only the front is there. Counts what is asked for. */
function counting(content: Uint8Array, size: number) {
  const source = {
    name: 'large.gguf', size, asked: 0,
    async read(offset: number, into: Uint8Array) {
      source.asked += into.length;
      into.set(content.subarray(offset, offset + into.length));
    },
    async close() {},
  };
  return source;
}

describe('loadTokenizer takes what load takes', () => {
  const config = { 'config.json': '{"model_type":"llama"}', 'tokenizer.json': json, 'tokenizer_config.json': '{"eos_token":"</s>"}' };
  it.each([
    ['a path', () => path],
    ['bytes', () => bytes],
    ['a Blob', () => new Blob([bytes])],
    ['a stream', () => new Blob([bytes]).stream()],
    ['an array of files', () => [new File([bytes], 'model.gguf'), new File(['{}'], 'config.json')]],
    ['one file in an array', () => [new File([bytes], 'model.gguf')]],
    ['a folder with a GGUF file', () => inFolder('gguf', { 'model.gguf': bytes })],
  ])('a GGUF file: %s', async (_, source) => {
    const tokenizer = await loadTokenizer(source());
    expect([tokenizer.size, tokenizer.decode(tokenizer.encode('Once upon a time'))]).toEqual([(await loadTokenizer(path)).size, 'Once upon a time']);
  });

  it.each([
    ['a path', () => join(inFolder('json', config), 'tokenizer.json')],
    ['a folder', () => inFolder('hf', config)],
    ['a folder without weights or settings', () => inFolder('bare', { 'tokenizer.json': json, 'tokenizer_config.json': '{"eos_token":"</s>"}' })],
    ['files', () => Object.entries(config).map(([name, text]) => new File([text], name))],
  ])('tokenizer.json with what lies beside it: %s', async (_, source) => {
    const tokenizer = await loadTokenizer(source());
    expect([[...tokenizer.encode('abb')], tokenizer.eos]).toEqual([[2, 1], 3]);
  });

  it.each([['bytes', () => new TextEncoder().encode(json)], ['a Blob', () => new Blob([json])], ['a stream', () => new Blob([json]).stream()]])('tokenizer.json alone: %s', async (_, source) => {
    expect([...(await loadTokenizer(source())).encode('abb')]).toEqual([2, 1]);
  });

  it('reads the header of a model of any size, and no more', async () => {
    const source = counting(bytes, 5e9);
    expect((await loadTokenizer(source)).size).toBe((await loadTokenizer(path)).size);
    expect(source.asked).toBeLessThan(4 << 20);
  });

  it('refuses a file of another kind that is too large to be a tokenizer', async () => {
    await expect(loadTokenizer(counting(new TextEncoder().encode('The quick brown fox'), 3e8))).rejects.toMatchObject({ code: 'bad-file' });
  });

  it.each([['an empty array', []], ['an empty name', '']])('refuses %s', async (_, source) => {
    await expect(loadTokenizer(source)).rejects.toMatchObject({ code: 'bad-option' });
  });
});
