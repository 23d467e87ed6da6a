import { afterEach, describe, expect, it } from 'vitest';
import { nodeHost } from '../../src/host/node.js';
import { evaluate, type Runner } from '../../src/run/types.js';
import { memoryFile, tinyNplm } from '../models/tiny.js';
import { nplmLogits } from '../reference/nplm.js';
import { allLogits, bits, largestDifference, runnerFor } from './support.js';

const SHAPE = { embedding: 24, window: 4, feedForward: 37, vocabulary: 101, padding: 7 };
const ids = Array.from({ length: 75 }, (_, i) => (i * 37 + 11) % 101);
const runners: Runner[] = [];
const started = async (...args: Parameters<typeof runnerFor>) => {
  const runner = await runnerFor(...args);
  runners.push(runner);
  return runner;
};
afterEach(() => runners.splice(0).forEach((runner) => runner.dispose()));

describe.each([SHAPE, { ...SHAPE, window: 1 }, { ...SHAPE, window: 70, embedding: 8, vocabulary: 104 }, { ...SHAPE, direct: true }])('nplm, a window of $window, direct $direct', (shape) => {
  const file = tinyNplm(shape);

  it('gives the reference logits at every position, padding before the first', async () => {
    const expected = nplmLogits({ metadata: file.metadata, tensors: file.reference }, ids);
    const actual = allLogits(await started(nodeHost(), file), ids);
    actual.forEach((row, i) => expect(largestDifference(row, expected[i]!)).toBeLessThan(2e-5));
  });

  it('gives the same bits for every build, thread count and split of the prompt', async () => {
    const host = nodeHost();
    const expected = allLogits(await started(host, file, { build: 'scalar' }), ids).map((row) => bits(row));
    for (const build of host.builds) {
      for (const [threads, chunks] of [[1, [1]], [2, [3, 64]], [3, [17]]] as const) {
        const actual = allLogits(await started(host, file, { build, threads }), ids, chunks);
        actual.forEach((row, i) => expect(bits(row), `${build}, ${threads} threads, chunks ${chunks}, position ${i}`).toEqual(expected[i]));
      }
    }
  });
});

describe('nplm sequences', () => {
  it('go on behind a cut, keep apart, and are not ended by the window', async () => {
    const runner = await started(nodeHost(), tinyNplm(SHAPE), { contextLength: 400 });
    const expected = allLogits(runner, ids.slice(0, 12)).at(-1)!;
    const [a, b] = [runner.newSequence(), runner.newSequence()];
    for (let i = 0; i < 6; i++) evaluate(runner, b, ids.slice(20, 64), { logits: 'none' });
    evaluate(runner, a, ids.slice(0, 11));
    evaluate(runner, a, [1, 2, 3]);
    a.keep(10);
    evaluate(runner, b, [5]);
    evaluate(runner, a, ids.slice(10, 12));
    expect(bits(runner.logits().slice())).toEqual(bits(expected));
    expect(b.length).toBe(265);
  });

  it.each([
    ['embeddings that no kernel can lay side by side', 'nplm.embedding_length', 12, /multiple of 8/],
    ['padding outside the vocabulary', 'nplm.padding_token_id', 101, /from 0 to 100/],
    ['no window', 'nplm.context_length', undefined, /context_length/],
    ['a window that the weights contradict', 'nplm.context_length', 5, /blk\.0\.ffn_up\.weight/],
  ])('are refused: %s', async (_, key, value, message) => {
    const { metadata, reference } = tinyNplm({ ...SHAPE, ...(key === 'nplm.embedding_length' && { embedding: 12 }) });
    const changed = new Map(metadata);
    if (value === undefined) changed.delete(key);
    else changed.set(key, value);
    await expect(runnerFor(nodeHost(), memoryFile(changed, reference))).rejects.toThrow(message);
  });
});
