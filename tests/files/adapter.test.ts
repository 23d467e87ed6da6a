// Adapters in llama.cpp's format: what is written is read back, also by another reader; what does not fit is refused.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gguf } from '@huggingface/gguf';
import { afterAll, describe, expect, it } from 'vitest';
import { openAdapter } from '../../src/files/adapter.js';
import { openAdapters } from '../../src/files/adapter-set.js';
import { adapterContent, type TrainedPair } from '../../src/files/adapter-writer.js';
import { collect } from '../../src/files/chunks.js';
import { type GgufContent, tensorOf, writeGguf } from '../../src/files/gguf-writer.js';
import { openModel } from '../../src/files/index.js';
import { random, randomFloats } from '../kernels/support.js';
import { tinyModel } from '../models/tiny.js';

const base = tinyModel({ architecture: 'llama', embedding: 16, layers: 1, heads: 2, kvHeads: 1, feedForward: 24, vocabulary: 20, context: 16 });
const folder = mkdtempSync(join(tmpdir(), 'stonechat-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const pair = (weight: string, rank: number, seed: number): TrainedPair => {
  const [columns, rows] = base.tensors.get(weight)!.shape as [number, number];
  const next = random(seed);
  const floats = (count: number) => randomFloats(count, next) as Float32Array<ArrayBuffer>;
  return { weight, rank, columns, rows, a: floats(rank * columns), b: floats(rows * rank) };
};
const Q = 'blk.0.attn_q.weight';
const content = adapterContent(base, 6, [pair(Q, 3, 1), pair('blk.0.ffn_down.weight', 3, 2)]);
const bytesOf = (changed: Partial<GgufContent> = {}) => collect(writeGguf({ ...content, ...changed }));
const opened = async (changed: Partial<GgufContent> = {}) => openModel(await bytesOf(changed));
const withKeys = (...pairs: [string, string | number | undefined][]) => ({ metadata: new Map([...content.metadata, ...pairs]) });
const floats = (bytes: Uint8Array) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);

async function joined(scales: readonly number[], which: 'a' | 'b') {
  const file = await openAdapters(base, scales.map((scale) => ({ source: scale, scale })), () => opened());
  const tensor = file.tensors.get(`${Q}.lora_${which}`)!;
  const into = new Uint8Array(tensor.bytes);
  await file.read(tensor, 0, into.subarray(0, 20));
  await file.read(tensor, 20, into.subarray(20));
  return { tensor, values: floats(into) };
}

describe('an adapter file', () => {
  it('has the keys, names and shapes that llama.cpp reads, for another reader too', async () => {
    const path = join(folder, 'adapter.gguf');
    writeFileSync(path, await bytesOf());
    const { metadata, tensorInfos } = await gguf(path, { allowLocalFile: true });
    expect(metadata).toMatchObject({ 'general.architecture': 'llama', 'general.type': 'adapter', 'adapter.type': 'lora', 'adapter.lora.alpha': 6 });
    expect(tensorInfos.map(({ name, shape }) => [name, shape.map(Number)])).toEqual([
      [`${Q}.lora_a`, [16, 3]], [`${Q}.lora_b`, [3, 16]], ['blk.0.ffn_down.weight.lora_a', [24, 3]], ['blk.0.ffn_down.weight.lora_b', [3, 16]],
    ]);
    expect((await opened()).metadataTypes!.get('adapter.lora.alpha')).toBe('f32');
  });

  it('is read back', async () => {
    const adapter = openAdapter(await opened());
    expect(adapter.alpha).toBe(6);
    expect([...(await adapter.read(adapter.pairs.get(Q)!.b))]).toEqual([...pair(Q, 3, 1).b]);
  });

  it('puts the scale times alpha / rank into b', async () => {
    const { values } = await joined([0.5], 'b');
    expect([...values]).toEqual([...pair(Q, 3, 1).b]); // 0.5 · 6 / 3
  });

  it('without alpha adds the product as it is', async () => {
    const file = await openAdapters(base, [{ source: 0, scale: 2 }], () => opened(withKeys(['adapter.lora.alpha', undefined])));
    const into = new Uint8Array(4);
    await file.read(file.tensors.get(`${Q}.lora_b`)!, 0, into);
    expect(floats(into)[0]).toBe(2 * pair(Q, 3, 1).b[0]!);
  });

  it('joins with others: a above a, b beside b', async () => {
    const { a, b } = pair(Q, 3, 1);
    const down = await joined([0.5, -1], 'a');
    expect(down.tensor.shape).toEqual([16, 6]);
    expect([...down.values]).toEqual([...a, ...a]);
    const up = await joined([0.5, -1], 'b');
    expect([...up.values.subarray(0, 12)]).toEqual([b[0], b[1], b[2], -2 * b[0]!, -2 * b[1]!, -2 * b[2]!, b[3], b[4], b[5], -2 * b[3]!, -2 * b[4]!, -2 * b[5]!]);
  });
});

const renamed = (name: string, index: number, shape?: readonly number[]): Partial<GgufContent> => ({
  tensors: content.tensors.map((tensor, i) => (i === index ? tensorOf(name, 'f32', shape ?? tensor.shape, new Uint8Array(4 * (shape ?? tensor.shape).reduce((x, y) => x * y, 1))) : tensor)),
});

describe('what is refused', () => {
  it.each<[string, Partial<GgufContent>, string, RegExp]>([
    ['a model in place of an adapter', withKeys(['general.type', 'model']), 'bad-file', /general\.type "adapter"\), found model/],
    ['another kind of adapter', withKeys(['adapter.type', 'dora']), 'unsupported', /adapter\.type "lora"\), found dora/],
    ['one that waits for tokens', withKeys(['adapter.alora.invocation_tokens', 3]), 'unsupported', /always applies/],
    ['an alpha that is no number', withKeys(['adapter.lora.alpha', 'big']), 'bad-file', /alpha to be a number, found big/],
    ['half a pair', { tensors: content.tensors.slice(0, 3) }, 'not-found', /both tensors of the pair blk\.0\.ffn_down\.weight/],
    ['no tensors', { tensors: [] }, 'bad-file', /an adapter with tensors/],
    ['other tensors', renamed('blk.0.attn_norm.weight', 0), 'unsupported', /only tensors <weight>\.lora_a/],
    ['ranks that differ', renamed(`${Q}.lora_a`, 0, [16, 2]), 'bad-file', /\[columns, rank\].*found \[16, 2\] and \[3, 16\]/],
    ['another architecture', withKeys(['general.architecture', 'qwen2']), 'bad-option', /for the llama architecture of tiny, found one for qwen2/],
    ['weights that the model has not', { tensors: [0, 1].map((i) => renamed(`blk.7.attn_q.weight.lora_${'ab'[i]}`, i).tensors![i]!) }, 'bad-option', /found blk\.7\.attn_q\.weight/],
    ['embeddings', { tensors: [0, 1].map((i) => renamed(`token_embd.weight.lora_${'ab'[i]}`, i).tensors![i]!) }, 'unsupported', /an adapter of linear layers/],
    ['other sizes', renamed(`${Q}.lora_b`, 1, [3, 32]), 'bad-option', /16 columns and 16 rows, found one of 16 and 32/],
  ])('%s', async (_, changed, code, message) => {
    await expect(openAdapters(base, [{ source: 0 }], () => opened(changed))).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
  });
});
