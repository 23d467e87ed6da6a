// Types that rows do not divide into, and weights that a type cannot hold.
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createStonechat } from '../../../src/entry/load.js';
import { createTuner } from '../../../src/entry/tune.js';
import { createWriter } from '../../../src/entry/write.js';
import { adapterContent } from '../../../src/files/adapter-writer.js';
import { checkBytes } from '../../../src/files/finite.js';
import { collect } from '../../../src/files/chunks.js';
import { tensorOf, writeGguf } from '../../../src/files/gguf-writer.js';
import { openModel } from '../../../src/files/index.js';
import { nodeHost } from '../../../src/host/node.js';
import { ggufTokenizer } from '../../../src/text/byte-level.js';
import { QUANTISATIONS } from '../../../src/train/convert/quantize.js';
import { tinyModel } from '../../models/tiny.js';

const host = nodeHost();
const { convert } = createWriter(host);
const { merge } = createTuner(host);
const { load } = createStonechat(host);
const TOKENS = ggufTokenizer({ specialTokens: ['<|endoftext|>'], merges: [], pattern: 'qwen2', bos: '<|endoftext|>', eos: '<|endoftext|>', addBos: true });

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'stonechat-quantize-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A model with rows of `columns`, one weight of it changed. */
async function modelOf(columns: number, change?: { name: string; value: number }, heads = 4): Promise<Uint8Array<ArrayBuffer>> {
  const tiny = tinyModel({ architecture: 'qwen2', embedding: columns, layers: 1, heads, kvHeads: heads, feedForward: 256, vocabulary: 257, context: 32 });
  const tensors = [...tiny.reference].map(([name, { shape, data }]) => {
    const values = Float32Array.from(data);
    if (name === change?.name) values[values.length - 1] = change.value;
    return tensorOf(name, 'f32', shape, new Uint8Array(values.buffer));
  });
  return collect(writeGguf({ metadata: new Map([...tiny.metadata, ...TOKENS]), tensors }));
}

const typesOf = async (bytes: Uint8Array) => {
  const file = await openModel(bytes);
  return { of: (name: string) => file.tensors.get(name)!.type, fileType: file.metadata.get('general.file_type') };
};

describe('rows that do not divide into blocks of 256', () => {
  it.each([['q4_K', 'q5_0', 8], ['q5_K', 'q5_1', 9], ['q6_K', 'q8_0', 7]] as const)('%s falls back to %s, as llama.cpp has it', async (type, fallback, fileType) => {
    const { files, fallbacks } = await convert(await modelOf(96), { type, pure: true });
    const found = await typesOf(files[0]!.bytes!);
    expect([found.of('blk.0.attn_q.weight'), found.of('token_embd.weight'), found.of('blk.0.ffn_down.weight')]).toEqual([fallback, fallback, type]);
    expect(found.fileType).toBe(fileType);
    expect(fallbacks).toContainEqual({ tensor: 'blk.0.attn_q.weight', columns: 96, meant: type, type: fallback });
    expect(fallbacks.map(({ tensor }) => tensor)).not.toContain('blk.0.ffn_down.weight');
    using model = await load(files[0]!.bytes!, { threads: 1 });
    expect((await model.logits([1, 2])).every(Number.isFinite)).toBe(true);
  });

  it('f16 only where rows are no multiple of 32, and then that is the type of the file', async () => {
    for (const type of ['q4_0', 'q4_1', 'q5_0', 'q8_0', 'q4_K'] as const) {
      const { files } = await convert(await modelOf(40), { type, pure: true });
      const found = await typesOf(files[0]!.bytes!);
      expect([found.of('blk.0.attn_q.weight'), found.of('blk.0.ffn_down.weight'), found.fileType], type).toEqual(['f16', type, 1]);
    }
  });

  it('keeps what has fewer bits than its fallback', async () => {
    const source = (await convert(await modelOf(96), { type: 'q4_1', pure: true })).files[0]!.bytes!;
    const { files, fallbacks } = await convert(source, { type: 'q4_K', pure: true });
    const found = await typesOf(files[0]!.bytes!);
    expect([found.of('blk.0.attn_q.weight'), found.of('blk.0.ffn_down.weight'), found.fileType]).toEqual(['q4_1', 'q4_K', 3]);
    expect(fallbacks).toContainEqual({ tensor: 'blk.0.attn_q.weight', columns: 96, meant: 'q4_K', type: 'q4_1' });
    expect(files[0]!.fileBytes).toBeLessThanOrEqual(source.length);
  });

  it.each(QUANTISATIONS)('%s: the file type is that of most weights', async (type) => {
    const { files, fallbacks } = await convert(await modelOf(256), { type, pure: true });
    const numbers = { f32: 0, f16: 1, q4_0: 2, q4_1: 3, q8_0: 7, q5_0: 8, q5_1: 9, q4_K: 14, q4_K_M: 15, q5_K: 16, q6_K: 18, bf16: 32 };
    expect([(await typesOf(files[0]!.bytes!)).fileType, fallbacks]).toEqual([numbers[type], []]);
  });
});

const REAL = join(homedir(), '.cache/stonechat/models/SmolLM2-135M-Instruct.Q4_1.gguf');

describe.skipIf(!existsSync(REAL))('the real SmolLM2-135M, rows of 576 (needs ~/.cache/stonechat/models)', () => {
  it('does not grow as q4_K', { timeout: 300_000 }, async () => {
    const { files, sourceBytes, fallbacks } = await convert(REAL, { type: 'q4_K', output: join(folder, 'smol.gguf') });
    expect(files[0]!.fileBytes).toBeLessThan(sourceBytes);
    expect(fallbacks.length).toBeGreaterThan(100);
    rmSync(join(folder, 'smol.gguf'));
  });
});

describe('weights that a type cannot hold', () => {
  const name = 'blk.0.ffn_up.weight';
  const refusal = { name: 'StonechatError', code: 'bad-option', expected: expect.stringContaining(name) };

  it.each([['f16', 1e5], ['f16', 65520], ['q8_0', 3e7], ['q4_0', 3e7], ['q4_0', 1e6], ['q4_1', -1e5], ['q5_0', 3e7], ['q5_1', 3e7], ['q4_K', -3e7], ['q4_K', 1e8], ['q5_K', -3e7], ['q6_K', 1e9], ['q6_K', 1e20], ['q4_K', 3e38], ['bf16', 3.4e38]] as const)('%s: %f', async (type, value) => {
    writeFileSync(join(folder, 'old.gguf'), 'old');
    await expect(convert(await modelOf(256, { name, value }), { type, pure: true, output: join(folder, 'old.gguf') })).rejects.toMatchObject(refusal);
    expect(readdirSync(folder)).toEqual(['old.gguf']);
    await expect(convert(await modelOf(256, { name, value }), { type, format: 'gguf', pure: true })).rejects.toMatchObject(refusal);
  });

  it.each(['q4_K', 'q6_K'] as const)('%s in rows that fall back: 3e7', async (type) => {
    await expect(convert(await modelOf(96, { name, value: 3e7 }), { type })).rejects.toMatchObject(refusal);
  });

  it.each([['f16', 65504], ['q8_0', 8e6], ['q4_0', 5e5], ['q4_K', 5e7], ['q6_K', 3e7]] as const)('%s holds %f', async (type, value) => {
    const { files } = await convert(await modelOf(256, { name, value }), { type, pure: true });
    using model = await load(files[0]!.bytes!, { threads: 1 });
    expect((await model.logits([1, 2])).every(Number.isFinite)).toBe(true);
  });

  it.each([NaN, Infinity, -Infinity])('%f is no weight of any file', async (value) => {
    const damaged = { name: 'StonechatError', code: 'bad-file', expected: expect.stringContaining(name) };
    const model = await modelOf(256, { name, value });
    for (const options of [{}, { type: 'f32' }, { type: 'q4_K' }, { format: 'huggingface' }] as const) await expect(convert(model, options)).rejects.toMatchObject(damaged);
  });

  it('nor what merging makes of finite ones', async () => {
    const base = await openModel(await modelOf(64));
    const pair = (value: number) => ({ weight: 'blk.0.attn_q.weight', rank: 1, columns: 64, rows: 64, a: new Float32Array(64).fill(value), b: new Float32Array(64).fill(value) });
    const adapter = await collect(writeGguf(adapterContent(base, 1, [pair(1e20)])));
    await expect(merge(await modelOf(64), { lora: [{ source: adapter }], output: join(folder, 'merged.gguf') })).rejects.toMatchObject({ name: 'StonechatError', expected: expect.stringContaining('blk.0.attn_q.weight') });
    const large = await collect(writeGguf(adapterContent(base, 1, [pair(1e3)])));
    await expect(merge(await modelOf(64), { lora: [{ source: large }], type: 'f16' })).rejects.toMatchObject({ code: 'bad-option', expected: expect.stringContaining('blk.0.attn_q.weight') });
    expect(readdirSync(folder)).toEqual(['old.gguf']);
    expect(() => adapterContent(base, 1, [pair(NaN)])).toThrow(expect.objectContaining({ code: 'bad-file' }));
  });

  it('finds infinite scales wherever a piece begins', () => {
    const block = new Uint8Array(66);
    block.set([0, 0x7c], 44); // the third block's scale
    for (const start of [0, 2, 20, 22, 40, 44]) expect(() => checkBytes('w', 'q5_0', block.subarray(start), start)).toThrow(/finite weights/);
    checkBytes('w', 'q5_0', block.subarray(46), 46);
    checkBytes('w', 'q5_0', block.subarray(0, 44), 0);
  });
});
