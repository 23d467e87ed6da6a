// Merged models: W + scale · alpha / rank · B A, in the types asked for.
import { beforeAll, describe, expect, it } from 'vitest';
import { openAdapter, type ScaledAdapter } from '../../../src/files/adapter.js';
import { adapterContent, type TrainedPair } from '../../../src/files/adapter-writer.js';
import { collect } from '../../../src/files/chunks.js';
import { writeGguf } from '../../../src/files/gguf-writer.js';
import { openModel } from '../../../src/files/index.js';
import type { ModelFile } from '../../../src/files/types.js';
import { instantiateTrainKernels, type TrainKernels } from '../../../src/kernels/instance.js';
import { mergeAdapters, type MergeOptions } from '../../../src/train/convert/merge.js';
import { fitting, type WrittenType } from '../../../src/train/convert/quantize.js';
import { expectWithin, random, randomFloats } from '../../kernels/support.js';
import type { TinyShape } from '../../models/tiny.js';
import { trainHost } from '../support.js';
import { inType, tinyOf, valuesOf } from '../tiny.js';

const shape: TinyShape = { architecture: 'llama', embedding: 256, layers: 1, heads: 4, kvHeads: 2, feedForward: 64, vocabulary: 20, context: 16 };
const Q = 'blk.0.attn_q.weight';
const RANK = 3;
let kernels: TrainKernels;
beforeAll(async () => {
  kernels = instantiateTrainKernels(await trainHost.host.compile('simd', false), await trainHost.compileTraining('simd', false), 'simd');
});

function pairFor(base: ModelFile, seed: number): TrainedPair {
  const [columns, rows] = base.tensors.get(Q)!.shape as [number, number];
  const next = random(seed);
  const floats = (count: number) => randomFloats(count, next, 0.1) as Float32Array<ArrayBuffer>;
  return { weight: Q, rank: RANK, columns, rows, a: floats(RANK * columns), b: floats(rows * RANK) };
}
const adapterOf = async (base: ModelFile, pair: TrainedPair, scale: number): Promise<ScaledAdapter> => ({ adapter: openAdapter(await openModel(await collect(writeGguf(adapterContent(base, 6, [pair]))))), scale });
const productAt = ({ a, b, columns }: TrainedPair, i: number) => Array.from({ length: RANK }, (_, r) => b[Math.floor(i / columns) * RANK + r]! * a[r * columns + (i % columns)]!).reduce((x, y) => x + y, 0);

async function merged(type: WrittenType, options: MergeOptions = {}) {
  const base = await tinyOf(shape, type);
  const pairs = [pairFor(base, 1), pairFor(base, 2)];
  const adapters = [await adapterOf(base, pairs[0]!, 0.8), await adapterOf(base, pairs[1]!, -0.5)];
  const { content, requantised } = mergeAdapters(base, adapters, kernels, options);
  const file = await openModel(await collect(writeGguf(content)));
  const before = (await valuesOf(base)).get(Q)!;
  const expected = Float64Array.from(before.data, (w, i) => w + 0.8 * 2 * productAt(pairs[0]!, i) - 0.5 * 2 * productAt(pairs[1]!, i));
  return { base, file, requantised, expected };
}

describe('a merged model', () => {
  it('has the products of two adapters in its weights, and all else as it was', async () => {
    const { base, file, expected, requantised } = await merged('f32');
    const [before, after] = [await valuesOf(base), await valuesOf(file)];
    expectWithin(after.get(Q)!.data, expected, 2e-7);
    for (const [name, { data }] of before) if (name !== Q) expect(after.get(name)!.data).toEqual(data);
    expect([...file.metadata.keys()]).toEqual([...base.metadata.keys()]);
    expect(requantised.size).toBe(0);
  });

  it.each<[WrittenType, number]>([['f16', 1e-3], ['bf16', 8e-3], ['q8_0', 5e-3], ['q6_K', 2e-2], ['q4_0', 0.1], ['q4_K', 0.1]])('keeps the type of a %s base', async (type, tolerance) => {
    const { base, file, expected, requantised } = await merged(type);
    for (const [name, tensor] of file.tensors) expect(tensor.type).toBe(base.tensors.get(name)!.type);
    expectWithin((await valuesOf(file)).get(Q)!.data, expected, tolerance * 0.3);
    expect([...requantised]).toEqual(type.startsWith('q') ? [[type, 1]] : []);
  });

  it('is quantised as the sum would be', async () => {
    const { file, expected, base } = await merged('f32', { type: 'q4_0' });
    const whole = await valuesOf(base);
    whole.get(Q)!.data.set(Float32Array.from(expected));
    const quantised = await inType({ ...base, read: async (tensor, offset, into) => into.set(new Uint8Array(whole.get(tensor.name)!.data.buffer, offset, into.length)) }, 'q4_0');
    const [one, other] = [await valuesOf(file), await valuesOf(quantised)];
    const differing = one.get(Q)!.data.filter((value, i) => value !== other.get(Q)!.data[i]).length;
    expect(differing).toBeLessThan(20); // the two sums may differ in a last bit, and a code with it
    expect(file.metadata.get('general.file_type')).toBe(2);
  });

  it.each([['q5_K', 'q5_K'], ['q4_1', 'q4_1'], ['q4_0', 'q4_0'], ['f16', 'f16']] as const)('writes %s as %s', (type, written) => expect(fitting(type, 256)).toBe(written));
  it.each([['q5_0', 32, 'q5_0'], ['q5_0', 40, 'f16'], ['q4_K', 576, 'q5_0'], ['q5_K', 576, 'q5_1'], ['q6_K', 576, 'q8_0'], ['q4_K', 40, 'f16']] as const)('%s in rows of %i is %s', (type, columns, found) => expect(fitting(type, columns)).toBe(found));

  it('needs a GGUF base, an adapter, a known type', async () => {
    const base = await tinyOf(shape, 'f32');
    expect(() => mergeAdapters(base, [], kernels)).toThrow(/at least one adapter/);
    expect(() => mergeAdapters({ ...base, format: 'safetensors' }, [], kernels)).toThrow(/Expected a GGUF file/);
    await expect(merged('f32', { type: 'q3' as never })).rejects.toThrow(/one of the types/);
  });
});
