import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect } from '../../src/files/chunks.js';
import { tensorOf, writeGguf } from '../../src/files/gguf-writer.js';
import { openModel } from '../../src/files/index.js';
import { bufferSource } from '../../src/files/sources.js';
import { StringList } from '../../src/files/strings.js';
import type { MetadataValue } from '../../src/files/types.js';
import { nodeHost } from '../../src/host/node.js';
import { createStonechat } from '../../src/entry/load.js';
import { createWriter } from '../../src/entry/write.js';
import { ggufTokenizer } from '../../src/text/byte-level.js';
import { tinyModel } from '../models/tiny.js';

const { convert } = createWriter(nodeHost());
const { load } = createStonechat(nodeHost());
const TOKENS = ggufTokenizer({ specialTokens: ['<|endoftext|>'], merges: [['t', 'h'], ['th', 'e']], pattern: 'qwen2', bos: '<|endoftext|>', eos: '<|endoftext|>', addBos: true });
const tiny = tinyModel({ architecture: 'qwen2', embedding: 64, layers: 1, heads: 4, kvHeads: 2, feedForward: 64, vocabulary: 259, context: 64 });

async function fileWith(tokens: typeof TOKENS): Promise<Uint8Array<ArrayBuffer>> {
  const tensors = [...tiny.reference].map(([name, { shape, data }]) => tensorOf(name, 'f32', shape, new Uint8Array(Float32Array.from(data).buffer)));
  return collect(writeGguf({ metadata: new Map([...tiny.metadata, ...tokens]), tensors }));
}
async function say(source: Parameters<typeof load>[0]): Promise<string[]> {
  using model = await load(source, { threads: 1 });
  const texts: string[] = [];
  for await (const { text } of model.generate('the', { maxTokens: 12, temperature: 0, ignoreEos: true })) texts.push(text);
  return texts;
}

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'stonechat-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('convert()', () => {
  it('gives a Hugging Face folder as bytes, which load() takes, and GGUF of it again', async () => {
    const file = await fileWith(TOKENS);
    const { files, sourceBytes } = await convert(file, { format: 'huggingface' });
    expect([sourceBytes, files.map(({ name }) => name)]).toEqual([file.length, ['model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'generation_config.json', 'config.json']]);
    for (const { bytes, fileBytes } of files) expect(bytes!.length).toBe(fileBytes);
    const sources = files.map(({ name, bytes }) => bufferSource(bytes!, name));
    const expected = await say(file);
    expect(await say(sources)).toEqual(expected);
    const again = await convert(sources);
    expect(await say(again.files[0]!.bytes!)).toEqual(expected);
  });

  it('writes to a path, in another type, and tells how far it is', async () => {
    const seen: number[] = [];
    const { files } = await convert(await fileWith(TOKENS), { type: 'q8_0', pure: true, output: join(folder, 'm.gguf'), onProgress: (done, total) => seen.push(done / total) });
    expect(files).toEqual([{ name: join(folder, 'm.gguf'), fileBytes: statSync(join(folder, 'm.gguf')).size, bytes: undefined }]);
    expect(seen.at(-1)).toBe(1);
    const { bytes } = (await convert(await fileWith(TOKENS), { type: 'q8_0', pure: true })).files[0]!;
    expect((await openModel(bytes!)).tensors.get('token_embd.weight')!.type).toBe('q8_0');
    expect(readdirSync(folder)).toEqual(['m.gguf']);
  });

  it('needs no tokenizer to write GGUF as GGUF', async () => {
    const { bytes } = (await convert(await fileWith(new Map()), { type: 'f16' })).files[0]!;
    const file = await openModel(bytes!);
    expect([file.tensors.get('blk.0.ffn_up.weight')!.type, file.tensors.get('output_norm.weight')!.type, file.metadata.get('general.file_type')]).toEqual(['f16', 'f32', 1]);
    await expect(convert(bytes!, { format: 'huggingface' })).rejects.toMatchObject({ code: 'not-found', remedy: expect.stringContaining('tokenizer') });
    const vocabulary = await collect(writeGguf({ metadata: new Map([['general.architecture', 'qwen2'], ...TOKENS]), tensors: [] }));
    expect((await convert(bytes!, { format: 'huggingface', tokenizer: vocabulary })).files).toHaveLength(5);
  });

  it('keeps name, licence, organisation, languages and the padding token there and back', async () => {
    const facts = new Map<string, MetadataValue>([
      ['general.name', 'A model / of ours'], ['general.license', 'apache-2.0'], ['general.license.link', 'https://example.org'], ['general.organization', 'Birds'], ['general.languages', ['en', 'de']],
      ['general.base_model.count', 1], ['tokenizer.ggml.padding_token_id', 1],
    ]);
    const file = await fileWith(new Map([...TOKENS, ...facts]));
    const { files } = await convert(file, { format: 'huggingface' });
    const json = (name: string) => JSON.parse(new TextDecoder().decode(files.find((one) => one.name === name)!.bytes)) as Record<string, unknown>;
    expect([json('config.json')['pad_token_id'], json('generation_config.json')['pad_token_id'], json('tokenizer_config.json')['pad_token']]).toEqual([1, 1, expect.any(String)]);
    const sources = files.map(({ name, bytes }) => bufferSource(bytes!, name));
    const back = await openModel((await convert(sources)).files[0]!.bytes!);
    for (const [key, value] of facts) {
      const found = back.metadata.get(key);
      expect(found instanceof StringList ? found.toArray() : found, key).toEqual(value);
    }
  });

  it("takes the facts of a folder's model card, and its padding token by name", async () => {
    const { files } = await convert(await fileWith(TOKENS), { format: 'huggingface' });
    const card = '---\nlicense: other\nlicense_name: "ours"\nlanguage:\n- en\n- fr\ntags: [birds, \'small\']\npipeline_tag: text-generation\n---\n# A model\nlicense: mit\n';
    const config = files.map(({ name, bytes }) => {
      if (name !== 'tokenizer_config.json') return bufferSource(bytes!, name);
      const text = JSON.parse(new TextDecoder().decode(bytes)) as object;
      return bufferSource(new TextEncoder().encode(JSON.stringify({ ...text, pad_token: { content: '<|endoftext|>' } })), name);
    });
    const { metadata } = await openModel((await convert([...config, bufferSource(new TextEncoder().encode(card), 'README.md')])).files[0]!.bytes!);
    expect([metadata.get('general.license'), metadata.get('general.license.name'), [...(metadata.get('general.languages') as StringList)], [...(metadata.get('general.tags') as StringList)]]).toEqual(['other', 'ours', ['en', 'fr'], ['birds', 'small']]);
    expect(metadata.get('tokenizer.ggml.padding_token_id')).toBe(metadata.get('tokenizer.ggml.eos_token_id'));
  });

  it('gives a quantised model f16 in a folder, and says so', async () => {
    const small = (await convert(await fileWith(TOKENS), { type: 'q8_0', pure: true })).files[0]!.bytes!;
    const { files, type } = await convert(small, { format: 'huggingface' });
    expect(type).toBe('f16');
    await say(files.map(({ name, bytes }) => bufferSource(bytes!, name)));
    expect((await convert(await fileWith(TOKENS), { format: 'huggingface' })).type).toBeUndefined();
    await expect(convert(small, { format: 'huggingface', type: 'q8_0' })).rejects.toMatchObject({ code: 'bad-option', remedy: expect.stringContaining('--type f16') });
  });

  it('ends between two pieces when it is aborted, and leaves what was there', async () => {
    const controller = new AbortController();
    const output = join(folder, 'aborted.gguf');
    await expect(convert(await fileWith(TOKENS), { output, signal: controller.signal, onProgress: () => controller.abort() })).rejects.toMatchObject({ code: 'aborted' });
    expect(readdirSync(folder).filter((name) => name.startsWith('aborted'))).toEqual([]);
  });

  it.each([
    ['an unknown type', { type: 'q3_K' }, 'q4_K_M'],
    ['an unknown format', { format: 'onnx' }, 'huggingface'],
    ['a misspelt option', { ouput: 'x' }, 'output'],
    ['a folder that is not there', { output: '/no/such/folder/m.gguf' }, 'folder exists'],
  ])('refuses %s', async (_, options, message) => {
    await expect(convert(await fileWith(TOKENS), options as object)).rejects.toThrow(message);
  });
});
