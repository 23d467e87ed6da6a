// KV caches of any size: they hold what they are asked for, and grow without changing a bit.
import { afterEach, describe, expect, it } from 'vitest';
import type { ModelFile } from '../../src/files/types.js';
import { nodeHost } from '../../src/host/node.js';
import { loadRunner, type LoadedRunner, type RunnerOptions } from '../../src/run/load.js';
import { tinyModel, tinyNplm } from '../models/tiny.js';
import { bits, ordinary } from './support.js';

const shape = { architecture: 'llama', embedding: 48, layers: 3, heads: 6, kvHeads: 2, feedForward: 88, vocabulary: 101, context: 1000 } as const;
const ids = Array.from({ length: 400 }, (_, i) => (i * 37 + 11) % 101);
const loaded: LoadedRunner[] = [];
const start = async (options: Partial<RunnerOptions> = {}, file: ModelFile = tinyModel(shape)) => {
  const one = await loadRunner(nodeHost(), file, { ...ordinary, ...options });
  loaded.push(one);
  return one;
};
afterEach(() => loaded.splice(0).forEach(({ runner }) => runner.dispose()));

describe.each([
  ['f32', {}, () => tinyModel(shape)], ['q8_0', { kvCache: 'q8_0' as const }, () => tinyModel(shape)], ['f32, two threads', { threads: 2 }, () => tinyModel(shape)],
  ['learned positions', {}, () => tinyModel({ ...shape, architecture: 'gpt2', kvHeads: 6 })],
  ['a model that looks back at ids', {}, () => tinyNplm({ embedding: 24, window: 4, feedForward: 37, vocabulary: 101, padding: 7 })],
])('a cache of %s', (_, options, model) => {
  it('grows from block to block with the same bits as one that was whole', async () => {
    const { runner } = await start(options, model());
    const whole = runner.newCache(), small = runner.newCache(1);
    for (let at = 0; at < ids.length; ) {
      const piece = ids.slice(at, at + 1 + ((at * 7) % 40));
      runner.evaluate(whole, piece);
      const expected = bits(runner.logits().slice());
      small.reserve(at + piece.length);
      runner.evaluate(small, piece);
      expect(bits(runner.logits().slice()), `at ${at}`).toEqual(expected);
      at += piece.length;
    }
  });
});

describe('memory of caches', () => {
  it('is that of the tokens asked for, and comes back', async () => {
    const { runner, arena } = await start({ contextLength: 640 });
    const before = arena.used;
    const whole = runner.newCache();
    const bytes = arena.used - before;
    whole.release();
    expect(arena.used).toBe(before);
    const caches = Array.from({ length: 10 }, () => runner.newCache(64));
    expect(arena.used - before).toBeLessThanOrEqual(bytes);
    caches.forEach((cache) => cache.reserve(200));
    caches.forEach((cache) => cache.release());
    caches.forEach((cache) => cache.release());
    expect(arena.used).toBe(before);
  });

  it('grows where it is while nothing is behind it, and moves otherwise', async () => {
    const { runner, arena } = await start();
    const fresh = runner.newCache();
    const expected = [...ids.keys()].filter((i) => i % 50 === 49).map((i) => {
      fresh.length = 0;
      for (let at = 0; at <= i; at += 50) runner.evaluate(fresh, ids.slice(at, at + 50));
      return bits(runner.logits().slice());
    });
    fresh.release();
    const before = arena.used;
    const cache = runner.newCache(64);
    const one = arena.used - before;
    let behind: ReturnType<typeof runner.newCache> | undefined;
    for (let at = 0; at < 400; at += 50) {
      cache.reserve(at + 50);
      if (at === 200) behind = runner.newCache(64);
      if (at < 200) expect(arena.used - before).toBe(one * Math.ceil((at + 50) / 64));
      runner.evaluate(cache, ids.slice(at, at + 50));
      expect(bits(runner.logits().slice()), `at ${at}`).toEqual(expected[at / 50]);
      if (at === 300) behind!.release();
    }
    cache.release();
    expect(arena.used).toBe(before);
  });

  it('does not go past the context', async () => {
    const { runner } = await start({ contextLength: 100 });
    const cache = runner.newCache(30);
    expect(cache.capacity).toBe(64);
    cache.reserve(5000);
    expect(cache.capacity).toBe(100);
    for (const at of [0, 50]) runner.evaluate(cache, ids.slice(at, at + 50));
    expect(() => runner.evaluate(cache, [1])).toThrow(expect.objectContaining({ code: 'context-full' }));
  });

  it('names the live sessions where there is none left, and leaves the cache as it was', async () => {
    const { runner, arena } = await start();
    const [one, two] = [runner.newCache(64), runner.newCache(64)];
    runner.evaluate(one, ids.slice(0, 10));
    const { allocate, extend } = arena;
    const refuse = () => {
      throw new Error('no memory');
    };
    Object.assign(arena, { allocate: refuse, extend: refuse });
    const refusal = expect.objectContaining({ code: 'out-of-memory', message: expect.stringMatching(/960 tokens\) beside the caches of 2 live sessions.*session\.dispose\(\)/) });
    expect(() => one.reserve(950)).toThrow(refusal);
    expect(() => runner.newCache(950)).toThrow(refusal);
    Object.assign(arena, { allocate, extend });
    two.release();
    runner.evaluate(one, ids.slice(10, 12));
    const after = bits(runner.logits().slice());
    const fresh = runner.newCache();
    runner.evaluate(fresh, ids.slice(0, 12));
    expect(after).toEqual(bits(runner.logits().slice()));
  });
});
