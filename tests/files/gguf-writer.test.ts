// What we write, we read back, and a reader that is not ours (@huggingface/gguf) reads the same.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gguf } from '@huggingface/gguf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect } from '../../src/files/chunks.js';
import { ggufBytes, type GgufContent, tensorOf, writeGguf } from '../../src/files/gguf-writer.js';
import { openModel } from '../../src/files/index.js';
import { StringList } from '../../src/files/strings.js';
import type { MetadataValue, ModelFile } from '../../src/files/types.js';
import { nodeHost } from '../../src/host/node.js';
import { hasShared, noShared, onDisk, SHARED } from './support/shared.js';

const host = nodeHost();
const open = (source: string | Uint8Array) => openModel(source, onDisk);

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'stonechat-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const METADATA = new Map<string, MetadataValue | undefined>([
  ['general.architecture', 'llama'],
  ['llama.block_count', 2],
  ['llama.rope.freq_base', 10000],
  ['llama.attention.layer_norm_rms_epsilon', 1e-5],
  ['left.out', undefined],
  ['test.negative', -3],
  ['test.large', 2 ** 40],
  ['test.beyond', 2n ** 60n],
  ['tokenizer.ggml.add_bos_token', true],
  ['tokenizer.ggml.tokens', ['a', 'é', '']],
  ['tokenizer.ggml.scores', new Float32Array([0, -1.5])],
  ['tokenizer.ggml.token_type', new Int32Array([1, 3, -1])],
  ['test.flags', [true, false]],
  ['test.nested', [new Uint8Array([1, 2]), StringList.from(['x'])]],
]);

/** What a reader makes of written metadata. */
const asRead = (metadata: Iterable<[string, MetadataValue | undefined]>) =>
  new Map([...metadata].filter(([, value]) => value !== undefined).map(([key, value]) => [key, Array.isArray(value) && typeof value[0] === 'string' ? StringList.from(value) : value]));

const content = (): GgufContent => ({
  metadata: METADATA,
  tensors: [
    tensorOf('odd.weight', 'f32', [3], new Uint8Array(new Float32Array([1, 2, 3]).buffer)),
    tensorOf('blk.0.attn_q.weight', 'q8_0', [32, 2], Uint8Array.from({ length: 68 }, (_, i) => i)),
  ],
});

describe('a written GGUF file', () => {
  it('holds texts of any length, wherever they fall', async () => {
    const texts = Array.from({ length: 3000 }, (_, i) => 'x'.repeat((i * 7919) % 300));
    const metadata = new Map<string, MetadataValue>([['general.architecture', 'llama'], ['long', 'y'.repeat(1 << 20)], ['texts', texts], ['longer', 'z'.repeat(5_000_001)]]);
    const file = await open(await collect(writeGguf({ metadata, tensors: [] })));
    expect(new Map(file.metadata)).toEqual(asRead(metadata));
  });

  it('reads back: metadata, number types, tensors', async () => {
    const bytes = await collect(writeGguf(content()));
    expect(bytes.length).toBe(ggufBytes(content()));
    const file = await open(bytes);
    expect(new Map(file.metadata)).toEqual(new Map([...asRead(METADATA), ['llama.attention.layer_norm_rms_epsilon', Math.fround(1e-5)]]));
    expect(Object.fromEntries(file.metadataTypes!)).toEqual({
      'llama.block_count': 'u32', 'llama.rope.freq_base': 'f32', 'llama.attention.layer_norm_rms_epsilon': 'f32',
      'test.negative': 'i32', 'test.large': 'u64', 'test.beyond': 'u64',
    });
    const into = new Uint8Array(68);
    await file.read(file.tensors.get('blk.0.attn_q.weight')!, 0, into);
    expect([...into]).toEqual(Array.from({ length: 68 }, (_, i) => i));
  });

  it('is the same to @huggingface/gguf', async () => {
    const path = join(folder, 'second.gguf');
    writeFileSync(path, await collect(writeGguf(content())));
    const { metadata, tensorInfos } = await gguf(path, { allowLocalFile: true });
    expect(metadata).toMatchObject({ version: 3, tensor_count: 2n, kv_count: 13n, 'llama.block_count': 2, 'llama.rope.freq_base': 10000, 'tokenizer.ggml.tokens': ['a', 'é', ''] });
    expect(tensorInfos.map(({ name, shape, dtype }) => ({ name, shape, dtype }))).toEqual([
      { name: 'odd.weight', shape: [3n], dtype: 0 },
      { name: 'blk.0.attn_q.weight', shape: [32n, 2n], dtype: 8 },
    ]);
  });

  it('holds a head of any length, also where the growing piece of memory ends in the middle of a text', async () => {
    for (let length = 65_300; length < 65_600; length += 7) {
      const metadata = new Map<string, MetadataValue>([['general.architecture', 'llama'], ['test.long', 'x'.repeat(length)], ['test.after', 'y']]);
      const file = await open(await collect(writeGguf({ metadata, tensors: [] })));
      expect([String(file.metadata.get('test.long')).length, file.metadata.get('test.after')]).toEqual([length, 'y']);
    }
  });

  it('refuses rows that are no whole number of blocks', async () => {
    const tensors = [tensorOf('narrow', 'q4_K', [128, 2], new Uint8Array(0))];
    await expect(collect(writeGguf({ metadata: METADATA, tensors }))).rejects.toMatchObject({ code: 'bad-option', found: expect.stringContaining('128') });
  });
});

/** The same file again, through reader and writer. */
const again = (file: ModelFile): GgufContent => ({
  metadata: file.metadata,
  ...(file.metadataTypes && { types: file.metadataTypes }),
  tensors: [...file.tensors.values()].map((tensor) => {
    const { name, type, shape } = tensor;
    return { name, type, shape, read: (offset, into) => file.read(tensor, offset, into) };
  }),
});

describe('a real file, read and written again', () => {
  it('has the same bytes', async ({ skip }) => {
    skip(!hasShared, noShared);
    const folder = `${SHARED}models/derived/stories260K/`;
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.gguf'))) {
      const path = folder + name;
      const file = await open(path);
      expect(Buffer.compare(await collect(writeGguf(again(file))), readFileSync(path)), name).toBe(0);
      await file.close();
    }
  });
});

describe('saving', () => {
  it('replaces the file whole, and leaves nothing behind', async () => {
    const path = join(folder, 'saved.gguf');
    writeFileSync(path, 'old');
    await host.save(path, writeGguf(content()));
    expect(readFileSync(path).length).toBe(ggufBytes(content()));
    expect(readdirSync(folder).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it('keeps the old file when the content fails half way', async () => {
    const path = join(folder, 'kept.gguf');
    writeFileSync(path, 'old');
    const broken = { ...content(), tensors: [{ name: 'x', type: 'f32' as const, shape: [1 << 21], read: () => Promise.reject(new Error('lost')) }] };
    await expect(host.save(path, writeGguf(broken))).rejects.toThrow('lost');
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it('says where it may not write', async () => {
    await expect(host.save(join(folder, 'no/such/place'), [])).rejects.toMatchObject({ name: 'StonechatError', code: 'unavailable', expected: expect.stringContaining('no/such/place') });
  });
});
