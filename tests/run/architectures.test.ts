import { afterEach, describe, expect, it } from 'vitest';
import { nodeHost } from '../../src/host/node.js';
import type { Build } from '../../src/kernels/instance.js';
import { evaluate, type Runner } from '../../src/run/types.js';
import { type TinyShape, tinyModel } from '../models/tiny.js';
import { referenceLogits } from '../reference/transformer.js';
import { allLogits, bits, largestDifference, runnerFor } from './support.js';

const llama = { architecture: 'llama', embedding: 48, layers: 2, heads: 6, kvHeads: 2, feedForward: 88, vocabulary: 101, context: 160 } as const;
const scaled = (type: string, extra: Record<string, number> = {}) => ({
  ...llama,
  extra: { 'rope.scaling.type': type, 'rope.scaling.factor': 4, 'rope.scaling.original_context_length': 40, ...extra },
});
const CASES: Record<string, TinyShape> = {
  llama,
  'llama, tied embeddings, one head': { ...llama, heads: 1, kvHeads: 1, tied: true },
  'llama, linear rope': scaled('linear'),
  'llama, yarn rope': scaled('yarn'),
  'llama, rope factors': { ...llama, ropeFactors: true },
  'llama, neox order': { ...llama, extra: {} },
  'llama, wide heads': { ...llama, embedding: 64, heads: 4, kvHeads: 4, headDim: 40 },
  gpt2: { ...llama, architecture: 'gpt2', kvHeads: 6 },
  qwen2: { ...llama, architecture: 'qwen2' },
  qwen3: { ...llama, architecture: 'qwen3', headDim: 16 },
};
const ids = Array.from({ length: 75 }, (_, i) => (i * 37 + 11) % 101);
const runners: Runner[] = [];
const started = async (...args: Parameters<typeof runnerFor>) => {
  const runner = await runnerFor(...args);
  runners.push(runner);
  return runner;
};
afterEach(() => runners.splice(0).forEach((runner) => runner.dispose()));

describe.each(Object.entries(CASES))('%s', (name, shape) => {
  const file = tinyModel(shape);
  if (name.includes('neox')) (file.metadata as Map<string, string>).set('stonechat.rope.style', 'neox');

  it('gives the reference logits at every position', async () => {
    const expected = referenceLogits({ metadata: file.metadata, tensors: file.reference }, ids);
    const actual = allLogits(await started(nodeHost(), file), ids);
    // f32 against f64 over two layers with logits of about +-10.
    actual.forEach((row, i) => expect(largestDifference(row, expected[i]!)).toBeLessThan(2e-4));
  });

  it('gives the same bits for every build, thread count and split of the prompt', async () => {
    const host = nodeHost();
    const expected = allLogits(await started(host, file, { build: 'scalar' }), ids).map((row) => bits(row));
    const variants: { build: Build; threads: number; chunks: number[] }[] = host.builds.flatMap((build) => [
      { build, threads: 1, chunks: [1] },
      { build, threads: 2, chunks: [3, 64] },
      { build, threads: 3, chunks: [17] },
    ]);
    for (const { build, threads, chunks } of variants) {
      const actual = allLogits(await started(host, file, { build, threads }), ids, chunks);
      actual.forEach((row, i) => expect(bits(row), `${build}, ${threads} threads, chunks ${chunks}, position ${i}`).toEqual(expected[i]));
    }
  });
});

describe('evaluate', () => {
  it('gives the last logits alone as among all', async () => {
    const runner = await started(nodeHost(), tinyModel(llama));
    const all = allLogits(runner, ids.slice(0, 30), [30]);
    const cache = runner.newSequence();
    evaluate(runner, cache, ids.slice(0, 20), { logits: 'none' });
    evaluate(runner, cache, ids.slice(20, 30));
    expect(bits(runner.logits().slice())).toEqual(bits(all[29]!));
  });

  it('goes on from a shortened cache as if the tail had never been there', async () => {
    const runner = await started(nodeHost(), tinyModel(llama));
    const expected = allLogits(runner, ids.slice(0, 12)).at(-1)!;
    const cache = runner.newSequence();
    evaluate(runner, cache, ids.slice(0, 40), { logits: 'none' });
    cache.keep(9);
    evaluate(runner, cache, ids.slice(9, 12));
    expect(bits(runner.logits().slice())).toEqual(bits(expected));
  });

  it('keeps sequences apart', async () => {
    const runner = await started(nodeHost(), tinyModel(llama), { contextLength: 64 });
    const [a, b] = [runner.newSequence(), runner.newSequence()];
    const expected = allLogits(runner, ids.slice(0, 10)).at(-1)!;
    for (let i = 0; i < 10; i++) {
      evaluate(runner, b, [ids[i + 20]!]);
      evaluate(runner, a, [ids[i]!]);
    }
    expect(bits(runner.logits().slice())).toEqual(bits(expected));
  });

  it.each([['f16', 0.01], ['q8_0', 0.2], ['q4_0', 3]] as const)('stays near the f32 cache with a %s cache', async (kvCache, most) => {
    const file = tinyModel(llama);
    const exact = allLogits(await started(nodeHost(), file), ids);
    const small = allLogits(await started(nodeHost(), file, { kvCache }), ids);
    const error = Math.max(...small.map((row, i) => largestDifference(row, exact[i]!)));
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThan(most);
  });

  it.each([
    ['no ids', [], 'bad-option'],
    ['an id past the vocabulary', [101], 'bad-option'],
    ['a negative id', [-1], 'bad-option'],
    ['a fraction', [1.5], 'bad-option'],
    ['more than a batch', new Array(65).fill(1), 'bad-option'],
  ])('refuses %s', async (_, bad, code) => {
    const runner = await started(nodeHost(), tinyModel(llama));
    expect(() => evaluate(runner, runner.newSequence(), bad as number[])).toThrow(expect.objectContaining({ code }));
  });

  it('refuses to go past the context', async () => {
    const runner = await started(nodeHost(), tinyModel(llama), { contextLength: 16 });
    const cache = runner.newSequence();
    evaluate(runner, cache, ids.slice(0, 16));
    expect(() => evaluate(runner, cache, [1])).toThrow(expect.objectContaining({ code: 'context-full' }));
  });

  it('refuses after dispose', async () => {
    const runner = await started(nodeHost(), tinyModel(llama));
    runner.dispose();
    expect(() => evaluate(runner, runner.newSequence(), [1])).toThrow(expect.objectContaining({ code: 'disposed' }));
  });
});
