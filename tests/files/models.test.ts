import { describe, expect, test } from 'vitest';
import type { ModelFile } from '../../src/files/types.js';
import { hasShared, noShared, openShared, readTensor, readWhole } from './support/shared.js';

const STORIES = 'models/derived/stories260K/stories260K-F32.gguf';
const open = async (path: string) => {
  const model = await openShared(path);
  return Object.assign(model, { [Symbol.asyncDispose]: () => model.close() });
};

/** Row order of Hugging Face's q and k from the interleaved one: within a head, even rows first, then odd ones. */
function toHalves(values: Float32Array, columns: number, heads: number): Float32Array {
  const rows = values.length / columns;
  const dim = rows / heads;
  const out = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    const within = row % dim;
    const target = row - within + (within % 2) * (dim / 2) + (within >> 1);
    out.set(values.subarray(row * columns, (row + 1) * columns), target * columns);
  }
  return out;
}

const worstDifference = (x: Float32Array, y: Float32Array): number =>
  x.length === y.length ? x.reduce((most, value, i) => Math.max(most, Math.abs(value - y[i]!)), 0) : Infinity;

async function expectEqualTensors(a: ModelFile, b: ModelFile, within = 0): Promise<void> {
  expect(new Set(a.tensors.keys())).toEqual(new Set(b.tensors.keys()));
  for (const [name, tensor] of a.tensors) {
    expect(b.tensors.get(name)!.shape, name).toEqual(tensor.shape);
    const [x, y] = [await readTensor(a, name), await readTensor(b, name)];
    expect(worstDifference(x, y), name).toBeLessThanOrEqual(within);
  }
}

describe.skipIf(!hasShared)(`the shared models${hasShared ? '' : `: ${noShared}`}`, () => {
  test.each([
    ['models/llama2c/stories260K/stories260K.bin', 'llama2c', 47, 260032],
    ['models/llama2c/stories260K/stories260K_v1.bin', 'llama2c', 47, 260032],
    ['models/llama2c/stories260K/stories260K_v2_q80.bin', 'llama2c', 47, 260032],
    ['models/llama2c/tinytinystories44K/tinytinystories44K.bin', 'llama2c', 11, 44768],
    ['models/derived/stories260K/model.safetensors', 'safetensors', 47, 260032],
    ['models/derived/stories260K/model.bf16.safetensors', 'safetensors', 47, 260032],
    ['models/derived/stories260K', 'safetensors', 47, 260032],
    ['models/hf/TinyStories-656K', 'safetensors', 20, 656000],
    ...['F32', 'F16', 'Q8_0', 'Q4_0'].map((type) => [`models/derived/stories260K/stories260K-${type}.gguf`, 'gguf', 47, 260032] as const),
    ...['F16', 'Q8_0', 'Q4_0'].map((type) => [`models/derived/TinyStories-656K/TinyStories-656K-${type}.gguf`, 'gguf', 20, 656000] as const),
  ] as const)('%s opens and reads', async (path, format, tensors, parameters) => {
    await using model = await open(path);
    expect(model.format).toBe(format);
    expect(model.metadata.get('general.architecture')).toBe('llama');
    expect(model.tensors.size).toBe(tensors);
    const count = [...model.tensors.values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    expect(count).toBe(parameters);
    const bytes = [...model.tensors.values()].reduce((sum, tensor) => sum + tensor.bytes, 0);
    expect(await readWhole(model, 1000)).toBe(bytes);
  });
  test.each(['models/llama2c/stories260K/stories260K.bin', 'models/llama2c/stories260K/stories260K_v1.bin'])('%s equals the GGUF', async (path) => {
    await using model = await open(path);
    await using reference = await open(STORIES);
    await expectEqualTensors(model, reference);
    for (const [key, value] of model.metadata) {
      const other = reference.metadata.get(key);
      if (typeof value !== 'number') expect(other, key).toBe(value);
      else if (other !== undefined) expect(other, key).toBeCloseTo(value, 9);
    }
  });

  test('int8 groups of llama2.c v2 come near their floats', async () => {
    await using model = await open('models/llama2c/stories260K/stories260K_v2_q80.bin');
    await using reference = await open(STORIES);
    await expectEqualTensors(model, reference, 0.008); // half a step of 1/127 of the largest weight, about 2
  });

  test('safetensors equal the GGUF but for the order of rotary rows', async () => {
    await using model = await open('models/derived/stories260K/model.safetensors');
    await using reference = await open(STORIES);
    expect(model.metadata.get('stonechat.rope.style')).toBe('neox');
    for (const name of reference.tensors.keys()) {
      const heads = name.includes('attn_q.') ? 8 : name.includes('attn_k.') ? 4 : 0;
      const values = await readTensor(reference, name);
      const expected = heads ? toHalves(values, 64, heads) : values;
      expect(worstDifference(await readTensor(model, name), expected), name).toBe(0);
    }
  });

  test.each([
    ['baichuan', 64000],
    ['bert-bge', 30522],
    ['deepseek-coder', 32256],
    ['gpt-2', 50257],
    ['gpt-neox', 50432],
    ['llama-spm', 32000],
    ['starcoder', 49152],
  ])('vocabulary-only ggml-vocab-%s.gguf opens without tensors', async (name, size) => {
    await using model = await open(`tokenizers/llama.cpp/ggml-vocab-${name}.gguf`);
    expect(model.tensors.size).toBe(0);
    expect(model.metadata.get('tokenizer.ggml.tokens')).toHaveLength(size);
  });

  test('files beside a model are found, others are not', async () => {
    await using model = await open('models/hf/TinyStories-656K/model.safetensors');
    expect((await model.sibling('tokenizer.json'))!.length).toBe(86434);
    expect(await model.sibling('nothing.json')).toBeUndefined();
  });
});
