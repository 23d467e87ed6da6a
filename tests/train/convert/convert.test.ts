// Models in another format: the same weights, and where nothing is reordered the same bits of logits.
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gguf } from '@huggingface/gguf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect } from '../../../src/files/chunks.js';
import { writeGguf } from '../../../src/files/gguf-writer.js';
import { openModel } from '../../../src/files/index.js';
import { writeSafetensors } from '../../../src/files/safetensors-writer.js';
import { bufferSource } from '../../../src/files/sources.js';
import { StringList } from '../../../src/files/strings.js';
import type { MetadataValue, ModelFile } from '../../../src/files/types.js';
import { nodeHost } from '../../../src/host/node.js';
import { ggufTokenizer } from '../../../src/text/byte-level.js';
import { specFromModel } from '../../../src/text/index.js';
import { specFromGguf } from '../../../src/text/gguf.js';
import { asGguf, huggingFaceFolder } from '../../../src/train/convert/convert.js';
import { quantizeModel, type QuantizeOptions } from '../../../src/train/convert/quantize.js';
import { dataPath, hasData, titled } from '../../golden/data.js';
import { memoryFile, tinyModel, tinyNplm, type TinyShape } from '../../models/tiny.js';
import { allLogits, bits, largestDifference, runnerFor } from '../../run/support.js';
import { instantiateTrainKernels } from '../../../src/kernels/instance.js';
import { compileTrainKernels } from '../../../src/host/compile-train.js';

const listed = (value: MetadataValue | undefined) => (value instanceof StringList ? value.toArray() : value);

const host = nodeHost();
let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'stonechat-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const VOCABULARY = { specialTokens: ['<|endoftext|>'], merges: [['t', 'h'], ['th', 'e']] as const, pattern: 'qwen2' as const, bos: '<|endoftext|>', eos: '<|endoftext|>', addBos: true };
const TOKENS = ggufTokenizer(VOCABULARY);
const SPEC = specFromGguf(TOKENS);
const SHAPE = { embedding: 48, layers: 2, heads: 6, kvHeads: 2, feedForward: 88, vocabulary: 259, context: 64 } as const;
const SHAPES: Record<string, TinyShape> = {
  llama: { ...SHAPE, architecture: 'llama' },
  'llama, tied, wide heads, yarn': { ...SHAPE, architecture: 'llama', tied: true, headDim: 12, extra: { 'rope.scaling.type': 'yarn', 'rope.scaling.factor': 4, 'rope.scaling.original_context_length': 16 } },
  gpt2: { ...SHAPE, architecture: 'gpt2', kvHeads: 6 },
  'gpt2, tied': { ...SHAPE, architecture: 'gpt2', kvHeads: 6, tied: true, feedForward: 192 },
  qwen2: { ...SHAPE, architecture: 'qwen2', tied: true },
  qwen3: { ...SHAPE, architecture: 'qwen3', headDim: 16 },
};
const ids = Array.from({ length: 20 }, (_, i) => (i * 37 + 11) % 259);

const kernelsHere = async () => instantiateTrainKernels(await host.compile('simd', false), await compileTrainKernels('simd', false), 'simd');
const logitsOf = async (file: ModelFile) => {
  const runner = await runnerFor(host, file);
  const logits = allLogits(runner, ids);
  runner.dispose();
  return logits;
};
const withTokens = (file: ModelFile): ModelFile => ({ ...file, metadata: new Map([...file.metadata, ...TOKENS]) });
const same = { type: 'same' } as const satisfies QuantizeOptions;

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Type, shape and a digest of the bytes of every tensor. */
async function readAll(file: ModelFile): Promise<Map<string, { type: string; shape: readonly number[]; bytes: string }>> {
  const read = async (name: string) => {
    const { type, shape, bytes } = file.tensors.get(name)!, into = new Uint8Array(bytes);
    // In odd pieces, as a writer may ask for them.
    for (let at = 0; at < bytes; at += 1000) await file.read(file.tensors.get(name)!, at, into.subarray(at, Math.min(at + 1000, bytes)));
    return { type, shape, bytes: digest(into) };
  };
  return new Map(await Promise.all([...file.tensors.keys()].sort().map(async (name) => [name, await read(name)] as const)));
}

/** The folder of a model, opened again. */
async function folderOf(file: ModelFile, options: QuantizeOptions = same): Promise<{ model: ModelFile; files: Map<string, Uint8Array<ArrayBuffer>> }> {
  const written = huggingFaceFolder(quantizeModel(file, await kernelsHere(), options), await specFromModel(file));
  const files = new Map(await Promise.all(written.map(async ({ name, chunks }) => [name, await collect(asyncly(chunks))] as const)));
  return { files, model: await openModel([...files].map(([name, bytes]) => bufferSource(bytes, name))) };
}
async function* asyncly(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

describe.each(Object.entries(SHAPES))('%s', (_, shape) => {
  const file = withTokens(tinyModel(shape));

  it('to a Hugging Face folder and back: every byte of the weights, every bit of the logits', async () => {
    const { model } = await folderOf(file);
    expect(model.format).toBe('safetensors');
    const again = asGguf(model, await specFromModel(model), await kernelsHere());
    expect(await readAll(again)).toEqual(await readAll(file));
    const [expected, through, there] = [await logitsOf(file), await logitsOf(again), await logitsOf(model)];
    expect(through.map(bits)).toEqual(expected.map(bits));
    // Hugging Face's order of rotary pairs adds up a head's products in another order.
    if (shape.architecture === 'llama') there.forEach((row, i) => expect(largestDifference(row, expected[i]!)).toBeLessThan(1e-4));
    else expect(there.map(bits)).toEqual(expected.map(bits));
  });

  it('keeps its tokenizer and settings', async () => {
    const { model } = await folderOf(file);
    const metadata = asGguf(model, await specFromModel(model), await kernelsHere()).metadata;
    for (const [key, value] of TOKENS) expect(metadata.get(key), key).toEqual(value);
    for (const [key, value] of file.metadata) {
      if (!key.startsWith(shape.architecture) || (shape.architecture === 'gpt2' && /head_count_kv|length$/.test(key))) continue;
      expect(metadata.get(key), key).toEqual(value);
    }
  });
});

it('safetensors files are as the format says: header, order, alignment, no gaps', async () => {
  const { files } = await folderOf(withTokens(tinyModel(SHAPES['gpt2, tied']!)), { type: 'f16' });
  const bytes = files.get('model.safetensors')!;
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  expect(length % 8).toBe(0);
  const { __metadata__: extra, ...tensors } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  expect(extra).toEqual({ format: 'pt' });
  let end = 0;
  for (const { dtype, shape, data_offsets: [from, to] } of Object.values(tensors)) {
    const width = dtype === 'F32' ? 4 : 2;
    expect([from, from % width, to - from]).toEqual([end, 0, shape.reduce((a, b) => a * b, width)]);
    end = to;
  }
  expect(8 + length + end).toBe(bytes.length);
  expect(tensors['transformer.h.1.mlp.c_fc.weight']).toMatchObject({ dtype: 'F16', shape: [48, 192] });
  expect(tensors['transformer.wpe.weight']).toMatchObject({ dtype: 'F32', shape: [64, 48] });
  const config = JSON.parse(new TextDecoder().decode(files.get('config.json')!)) as object;
  expect(config).toMatchObject({ model_type: 'gpt2', n_embd: 48, n_head: 6, n_inner: null, tie_word_embeddings: true, vocab_size: 259, bos_token_id: 0, torch_dtype: 'float16' });
});

it("Llama 3's rotary scaling becomes the table that llama.cpp reads", async () => {
  const scaling = { 'rope.scaling.type': 'llama3', 'rope.scaling.factor': 8, 'rope.scaling.low_freq_factor': 1, 'rope.scaling.high_freq_factor': 4, 'rope.scaling.original_context_length': 8192 };
  const file = withTokens(tinyModel({ ...SHAPE, architecture: 'llama', headDim: 16, extra: scaling }));
  const { model } = await folderOf(file);
  const converted = asGguf(model, SPEC, await kernelsHere());
  const factors = new Float32Array(8);
  await converted.read(converted.tensors.get('rope_freqs.weight')!, 0, new Uint8Array(factors.buffer));
  // Fast dimensions stay, slow ones are divided by the factor (transformers, _compute_llama3_parameters).
  expect([factors[0], factors.at(-1)]).toEqual([1, 8]);
  expect([...converted.metadata.keys()].filter((key) => key.includes('scaling'))).toEqual([]);
  const [a, b] = [await logitsOf(converted), await logitsOf(file)];
  a.forEach((row, i) => expect(largestDifference(row, b[i]!)).toBeLessThan(1e-4));
  await expect(folderOf(withTokens(converted))).rejects.toMatchObject({ code: 'unsupported', found: expect.stringContaining('rope_freqs') });
});

describe('refusals', () => {
  it('a feed-forward network has no form at Hugging Face', async () => {
    await expect(folderOf(withTokens(tinyNplm({ embedding: 8, window: 2, feedForward: 8, vocabulary: 259, padding: 0 })))).rejects.toMatchObject({ code: 'unsupported', expected: expect.stringContaining('qwen3') });
  });
  it('safetensors have no quantised types', async () => {
    await expect(folderOf(withTokens(tinyModel({ ...SHAPE, architecture: 'llama', embedding: 96 })), { type: 'q8_0' })).rejects.toMatchObject({ code: 'bad-option', found: expect.stringContaining('q8_0') });
    await expect(collect(writeSafetensors([{ name: 'x', type: 'q4_0', shape: [32], read: () => {} }]))).rejects.toMatchObject({ remedy: expect.stringContaining('--type f16') });
  });
  it('tensors that the architecture does not have', async () => {
    const { metadata, reference } = tinyModel(SHAPES['qwen2']!);
    const more = new Map([...reference, ['blk.0.attn_sinks.weight', { shape: [8], data: new Float32Array(8) }]]);
    await expect(folderOf(withTokens(memoryFile(metadata, more)))).rejects.toMatchObject({ code: 'unsupported', found: expect.stringContaining('attn_sinks') });
  });
});

describe.skipIf(!hasData)(titled('real models'), () => {
  const open = (path: string) => openModel(dataPath(path), { open: host.open, list: host.list });

  it.each([['f16', 'F16'], ['q8_0', 'Q8_0'], ['q4_0', 'Q4_0']] as const)('TinyStories-656K from Hugging Face to GGUF, %s: every byte as another converter wrote it', async (type, name) => {
    const model = await open('models/hf/TinyStories-656K');
    const kernels = await kernelsHere();
    const content = quantizeModel(asGguf(model, await specFromModel(model), kernels), kernels, { type, pure: true });
    const path = join(folder, `${type}.gguf`);
    writeFileSync(path, await collect(writeGguf(content)));
    const [ours, theirs] = [await openModel(path, { open: host.open, list: host.list }), await open(`models/derived/TinyStories-656K/TinyStories-656K-${name}.gguf`)];
    expect(await readAll(ours)).toEqual(await readAll(theirs));
    const left = new Set(['general.name', 'general.quantization_version', 'general.alignment', 'tokenizer.ggml.scores']); // their scores are -id
    for (const [key, value] of theirs.metadata) if (!left.has(key)) expect(ours.metadata.get(key), key).toEqual(value);
    // A second reader.
    const { metadata, tensorInfos } = await gguf(path, { allowLocalFile: true });
    expect(metadata).toMatchObject({ 'general.architecture': 'llama', 'llama.attention.head_count_kv': 4, 'tokenizer.ggml.model': 'llama', 'tokenizer.ggml.bos_token_id': 1, 'tokenizer.ggml.add_bos_token': true });
    expect(tensorInfos.find((info) => info.name === 'blk.1.attn_k.weight')).toMatchObject({ shape: [128n, 64n] });
    await Promise.all([model, ours, theirs].map((file) => file.close()));
  });

  it('stories260K from GGUF to Hugging Face: the weights that another converter wrote, and back the same file', async () => {
    const file = await open('models/derived/stories260K/stories260K-F32.gguf');
    const { model } = await folderOf(file);
    const theirs = await open('models/derived/stories260K');
    expect(await readAll(model)).toEqual(await readAll(theirs));
    const again = asGguf(model, await specFromModel(model), await kernelsHere());
    expect(await readAll(again)).toEqual(await readAll(file));
    const metadata = (of: ModelFile): [string, MetadataValue][] => [...of.metadata].filter(([key]) => /^llama\.|tokens$|token_type$|(bos|eos|unknown)_token_id$/.test(key));
    for (const [key, value] of metadata(file)) expect(listed(again.metadata.get(key)), key).toEqual(key.endsWith('epsilon') ? 1e-5 : listed(value));
    await Promise.all([file.close(), theirs.close()]);
  });

  it('stories260K from llama2.c to GGUF: the bytes of the derived file', async () => {
    const file = await open('models/llama2c/stories260K/stories260K.bin');
    const theirs = await open('models/derived/stories260K/stories260K-F32.gguf');
    expect(await readAll(asGguf(file, SPEC, await kernelsHere()))).toEqual(await readAll(theirs));
    await Promise.all([file.close(), theirs.close()]);
  });
});
