// Adapters at run time: the logits of merged weights, with the same bits on every build, thread count and split of the prompt.
import { afterEach, describe, expect, it } from 'vitest';
import { withAdapters } from '../../src/files/adapter-set.js';
import type { Adapter } from '../../src/files/adapter.js';
import { fromGgufOrder, inGgufOrder } from '../../src/files/head-order.js';
import type { ModelFile, TensorInfo } from '../../src/files/types.js';
import { nodeHost } from '../../src/host/node.js';
import type { Runner } from '../../src/run/types.js';
import type { WrittenType } from '../../src/train/convert/quantize.js';
import { random, randomFloats } from '../kernels/support.js';
import type { TinyShape } from '../models/tiny.js';
import { referenceLogits } from '../reference/transformer.js';
import { merged, tinyOf, valuesOf } from '../train/tiny.js';
import { allLogits, bits, largestDifference, runnerFor } from './support.js';

const llama: TinyShape = { architecture: 'llama', embedding: 64, layers: 2, heads: 4, kvHeads: 2, feedForward: 96, vocabulary: 61, context: 160 };
const ids = Array.from({ length: 40 }, (_, i) => (i * 37 + 11) % 61);
const host = nodeHost();
const runners: Runner[] = [];
afterEach(() => runners.splice(0).forEach((runner) => runner.dispose()));
async function started(file: ModelFile, options: Parameters<typeof runnerFor>[2] = {}) {
  const runner = await runnerFor(host, file, options);
  runners.push(runner);
  return runner;
}

/** Seeded pairs for some weights of a model. */
function adapterFor(base: ModelFile, stems: readonly string[], rank: number, seed: number, alpha = rank): Adapter {
  const next = random(seed);
  const values = new Map<string, Float32Array>();
  const tensor = (name: string, shape: [number, number], scale: number): TensorInfo => {
    values.set(name, randomFloats(shape[0] * shape[1], next, scale));
    return { name, type: 'f32', shape, bytes: shape[0] * shape[1] * 4 };
  };
  const adapted = [...base.tensors.values()].filter(({ name }) => stems.some((stem) => name.endsWith(`${stem}.weight`)));
  const pairs = new Map(adapted.map(({ name, shape }) => [name, { a: tensor(`${name}.lora_a`, [shape[0]!, rank], 0.3), b: tensor(`${name}.lora_b`, [rank, shape[1]!], 0.3) }]));
  return { name: 'adapter', architecture: String(base.metadata.get('general.architecture')), alpha, pairs, read: async ({ name }) => values.get(name)!, close: async () => {} };
}

const ALL = ['attn_q', 'attn_k', 'attn_v', 'attn_qkv', 'attn_output', 'ffn_gate', 'ffn_up', 'ffn_down'];

describe.each<[string, TinyShape, WrittenType, readonly string[]]>([
  ['llama, all layers and the output', llama, 'f32', [...ALL, 'output']],
  ['llama q4_0', llama, 'q4_0', ['attn_q', 'attn_v', 'output']],
  ['llama q8_0, tied', { ...llama, tied: true }, 'q8_0', ALL],
  ['gpt2 f16, fused and biased', { ...llama, architecture: 'gpt2', kvHeads: 4 }, 'f16', ALL],
  ['qwen3', { ...llama, architecture: 'qwen3' }, 'f32', ALL],
])('%s', (_, shape, type, stems) => {
  it('gives the logits of merged weights, two adapters added up', async () => {
    const base = await tinyOf(shape, type);
    const adapters = [{ adapter: adapterFor(base, stems, 3, 1), scale: 0.8 }, { adapter: adapterFor(base, stems.slice(0, 2), 9, 2, 0), scale: -0.25 }];
    const file = withAdapters(base, adapters);
    const expected = referenceLogits({ metadata: base.metadata, tensors: merged(await valuesOf(file), 1) }, ids);
    const plain = allLogits(await started(base, { activations: 'f32' }), ids);
    const actual = allLogits(await started(file, { activations: 'f32' }), ids);
    actual.forEach((row, i) => expect(largestDifference(row, expected[i]!)).toBeLessThan(5e-4));
    expect(largestDifference(plain[5]!, expected[5]!)).toBeGreaterThan(0.1);
  });

  it('gives the same bits for every build, thread count and split of the prompt', async () => {
    const base = await tinyOf(shape, type);
    const file = withAdapters(base, [{ adapter: adapterFor(base, stems, 12, 1), scale: 0.8 }]);
    const expected = allLogits(await started(file, { build: 'scalar' }), ids).map((row) => bits(row));
    for (const build of host.builds) {
      for (const [threads, chunks] of [[1, [1]], [2, [3, 64]], [3, [17]]] as const) {
        const actual = allLogits(await started(file, { build, threads }), ids, chunks);
        actual.forEach((row, i) => expect(bits(row), `${build}, ${threads} threads, chunks ${chunks}, position ${i}`).toEqual(expected[i]));
      }
    }
  });
});

describe('the order of rotary pairs', () => {
  const hugging = new Map<string, string | number>([['stonechat.rope.style', 'neox'], ['llama.attention.key_length', 8]]);
  const b = Float32Array.from({ length: 32 }, (_, i) => i);

  it('is that of GGUF in files, and that of the weights in memory', () => {
    const gguf = inGgufOrder(hugging, 'blk.0.attn_q.weight', b, 2);
    // Rows 0 1 2 3 | 4 5 6 7 of a head, halves apart, become 0 4 1 5 2 6 3 7.
    expect([...gguf.subarray(0, 8)]).toEqual([0, 1, 8, 9, 2, 3, 10, 11]);
    expect([...fromGgufOrder(hugging, 'blk.0.attn_q.weight', gguf, 2)]).toEqual([...b]);
  });

  it('concerns only queries and keys, and only where it differs', () => {
    expect(inGgufOrder(hugging, 'blk.0.attn_v.weight', b, 2)).toBe(b);
    expect(inGgufOrder(new Map(), 'blk.0.attn_q.weight', b, 2)).toBe(b);
  });
});
