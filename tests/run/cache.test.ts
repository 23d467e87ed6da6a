// What sequences keep: memory in pages, taken as it is needed and shared by forks, without changing a bit.
import { afterEach, describe, expect, it } from 'vitest';
import type { ModelFile } from '../../src/files/types.js';
import { nodeHost } from '../../src/host/node.js';
import { loadRunner, type LoadedRunner, type RunnerOptions } from '../../src/run/load.js';
import { tinyModel, tinyNplm } from '../models/tiny.js';
import { bits, ordinary } from './support.js';
import { evaluate } from '../../src/run/types.js';

const shape = { architecture: 'llama', embedding: 48, layers: 3, heads: 6, kvHeads: 2, feedForward: 88, vocabulary: 101, context: 1000 } as const;
const ids = Array.from({ length: 400 }, (_, i) => (i * 37 + 11) % 101);
const loaded: LoadedRunner[] = [];
const start = async (options: Partial<RunnerOptions> = {}, file: ModelFile = tinyModel(shape)) => {
  const one = await loadRunner(nodeHost(), file, { ...ordinary, ...options });
  loaded.push(one);
  return one;
};
afterEach(() => loaded.splice(0).forEach(({ runner }) => runner.dispose()));

describe.each<[string, Partial<RunnerOptions>, () => ModelFile]>([
  ['f32', {}, () => tinyModel(shape)], ['f16', { kvCache: 'f16' }, () => tinyModel(shape)], ['q8_0', { kvCache: 'q8_0' }, () => tinyModel(shape)], ['q4_0', { kvCache: 'q4_0' }, () => tinyModel(shape)], ['f32, two threads', { threads: 2 }, () => tinyModel(shape)],
  ['learned positions', {}, () => tinyModel({ ...shape, architecture: 'gpt2', kvHeads: 6 })],
  ['a model that looks back at ids', {}, () => tinyNplm({ embedding: 24, window: 4, feedForward: 37, vocabulary: 101, padding: 7 })],
])('a cache of %s', (_, options, model) => {
  it('grows from block to block with the same bits as one that was whole', async () => {
    const { runner } = await start(options, model());
    const whole = runner.newSequence(ids.length), small = runner.newSequence(1);
    for (let at = 0; at < ids.length; ) {
      const piece = ids.slice(at, at + 1 + ((at * 7) % 40));
      evaluate(runner, whole, piece);
      const expected = bits(runner.logits().slice());
      small.reserve(at + piece.length);
      evaluate(runner, small, piece);
      expect(bits(runner.logits().slice()), `at ${at}`).toEqual(expected);
      at += piece.length;
    }
  });
});

describe('memory of caches', () => {
  it('is that of the tokens asked for, and comes back', async () => {
    const { runner, arena } = await start({ contextLength: 640 });
    const before = arena.used;
    const whole = runner.newSequence(640);
    const bytes = arena.used - before;
    whole.release();
    expect(arena.used).toBe(before);
    const caches = Array.from({ length: 10 }, () => runner.newSequence(64));
    expect(arena.used - before).toBeLessThanOrEqual(bytes + 10 * 64); // a page table each
    caches.forEach((cache) => cache.reserve(200));
    caches.forEach((cache) => cache.release());
    caches.forEach((cache) => cache.release());
    expect(arena.used).toBe(before);
  });

  it('comes page by page, and goes when tokens are forgotten', async () => {
    const { runner, arena } = await start();
    const before = arena.used;
    const sequence = runner.newSequence();
    expect([sequence.capacity, arena.used - before]).toEqual([0, 0]);
    evaluate(runner, sequence, [1]);
    const one = arena.used - before;
    for (let at = 1; at < 400; at += 21) evaluate(runner, sequence, ids.slice(at, at + 21));
    expect(sequence.length).toBe(400);
    expect(arena.used - before).toBeLessThanOrEqual(one * 7);
    expect(sequence.keep(70)).toBe(70);
    expect(sequence.capacity).toBe(128);
    expect(sequence.keep(100)).toBe(70);
    sequence.release();
    expect(arena.used).toBe(before);
  });

  it('is shared by forks until one goes on, which changes no bit of the other', async () => {
    const { runner, arena } = await start();
    const before = arena.used;
    const alone = (all: readonly number[]) => {
      const fresh = runner.newSequence();
      for (let at = 0; at < all.length; at += 50) evaluate(runner, fresh, all.slice(at, at + 50));
      fresh.release();
      return bits(runner.logits().slice());
    };
    const first = runner.newSequence();
    for (const at of [0, 50]) evaluate(runner, first, ids.slice(at, at + 50));
    const held = arena.used - before;
    const forks = Array.from({ length: 20 }, () => first.fork());
    expect(arena.used - before).toBeLessThan(held * 1.2);
    const left = forks.splice(0, 10);
    evaluate(runner, first, [7, 8]);
    expect(bits(runner.logits().slice())).toEqual(alone([...ids.slice(0, 100), 7, 8]));
    first.release();
    forks.forEach((fork, i) => {
      expect(fork.length).toBe(100);
      evaluate(runner, fork, [i + 3]);
      expect(bits(runner.logits().slice())).toEqual(alone([...ids.slice(0, 100), i + 3]));
    });
    // All have written behind what they share: each must still find its own.
    forks.forEach((fork, i) => {
      evaluate(runner, fork, [50]);
      expect(bits(runner.logits().slice())).toEqual(alone([...ids.slice(0, 100), i + 3, 50]));
    });
    [...left, ...forks].forEach((fork) => fork.release());
    expect(arena.used).toBe(before);
  });

  it('does not go past the context', async () => {
    const { runner } = await start({ contextLength: 100 });
    const cache = runner.newSequence(30);
    expect(cache.capacity).toBe(64);
    cache.reserve(5000);
    expect(cache.capacity).toBe(100);
    for (const at of [0, 50]) evaluate(runner, cache, ids.slice(at, at + 50));
    expect(() => evaluate(runner, cache, [1])).toThrow(expect.objectContaining({ code: 'context-full' }));
  });

  it('names the live sessions where there is none left, and leaves the cache as it was', async () => {
    const { runner, arena } = await start();
    const [one, two] = [runner.newSequence(64), runner.newSequence(64)];
    evaluate(runner, one, ids.slice(0, 10));
    const { allocate } = arena;
    const refuse = () => {
      throw new Error('no memory');
    };
    Object.assign(arena, { allocate: refuse });
    const refusal = expect.objectContaining({ code: 'out-of-memory', message: expect.stringMatching(/960 tokens\) beside the caches of 2 live sessions.*session\.dispose\(\)/) });
    expect(() => one.reserve(950)).toThrow(refusal);
    expect(() => runner.newSequence(950)).toThrow(expect.objectContaining({ code: 'out-of-memory' }));
    Object.assign(arena, { allocate });
    two.release();
    evaluate(runner, one, ids.slice(10, 12));
    const after = bits(runner.logits().slice());
    const fresh = runner.newSequence();
    evaluate(runner, fresh, ids.slice(0, 12));
    expect(after).toEqual(bits(runner.logits().slice()));
  });
});
