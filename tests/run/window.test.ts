// Sliding windows: a sequence keeps what its windows see, however long it grows.
import { afterAll, describe, expect, it } from 'vitest';
import type { MetadataValue } from '../../src/files/types.js';
import { nodeHost } from '../../src/host/node.js';
import { loadRunner, type RunnerOptions } from '../../src/run/load.js';
import { evaluate } from '../../src/run/types.js';
import { tinyModel } from '../models/tiny.js';
import { buildsHere } from '../kernels/support.js';
import { allLogits, bits, ordinary } from './support.js';

const shape = { architecture: 'llama', embedding: 48, layers: 2, heads: 6, kvHeads: 2, feedForward: 88, vocabulary: 101, context: 1000 } as const;
const ids = Array.from({ length: 600 }, (_, i) => (i * 37 + 11) % 101);
const open: { dispose(): void }[] = [];
afterAll(() => open.forEach((runner) => runner.dispose()));

async function start(window: number | undefined, options: Partial<RunnerOptions> = {}, more: Record<string, MetadataValue> = {}) {
  const extra: Record<string, MetadataValue> = window === undefined ? more : { 'attention.sliding_window': window, ...more };
  const loaded = await loadRunner({ ...nodeHost(), processors: 8 }, tinyModel({ ...shape, extra }), { ...ordinary, contextLength: 1000, ...options });
  open.push(loaded.runner);
  return loaded;
}

describe('a sliding window', () => {
  it('that is never filled changes no bit; one that is changes what is said', async () => {
    const logits = async (window: number | undefined) => allLogits((await start(window)).runner, ids.slice(0, 150)).map(bits);
    const [none, wide, narrow] = [await logits(undefined), await logits(150), await logits(40)];
    expect(wide).toEqual(none);
    expect(narrow.slice(0, 40)).toEqual(none.slice(0, 40));
    for (const at of [41, 100, 149]) expect(narrow[at]).not.toEqual(none[at]);
  });

  it.each(buildsHere())('gives the same bits however a prompt is split, with threads too, %s build', async (build) => {
    const expected = allLogits((await start(70)).runner, ids.slice(0, 300)).map(bits);
    for (const [threads, chunks] of [[1, [1, 3, 64]], [2, [64]], [2, [7]]] as const) {
      expect(allLogits((await start(70, { build, threads })).runner, ids.slice(0, 300), chunks).map(bits)).toEqual(expected);
    }
  });

  it('keeps no more memory than it sees, and goes on as far as that is there', async () => {
    const { runner, arena } = await start(70);
    const sequence = runner.newSequence(), before = arena.used;
    let most = 0;
    for (let at = 0; at < 600; at += 20) {
      evaluate(runner, sequence, ids.slice(at, at + 20));
      if (at === 200) most = arena.used;
      if (at > 200) expect(arena.used).toBeLessThanOrEqual(most);
    }
    const last = bits(runner.logits().slice());
    expect(sequence.keep(595)).toBe(595);
    evaluate(runner, sequence, ids.slice(595, 600));
    expect(bits(runner.logits().slice())).toEqual(last);
    const fork = sequence.fork();
    expect(sequence.keep(300)).toBe(0);
    for (let at = 0; at < 600; at += 50) evaluate(runner, sequence, ids.slice(at, at + 50));
    expect(bits(runner.logits().slice())).toEqual(last);
    expect(fork.keep(590)).toBe(590);
    evaluate(runner, fork, ids.slice(590, 600));
    expect(bits(runner.logits().slice())).toEqual(last);
    sequence.release();
    fork.release();
    expect(arena.used).toBe(before);
  });

  it('holds in the layers that the file names', async () => {
    const pattern = (slides: boolean[]) => ({ 'attention.sliding_window_pattern': slides });
    const logits = async (...slides: boolean[]) => bits(allLogits((await start(40, {}, pattern(slides))).runner, ids.slice(0, 150))[149]!);
    const [both, first, none] = [await logits(true, true), await logits(true, false), await logits(false, false)];
    expect(both).toEqual(bits(allLogits((await start(40)).runner, ids.slice(0, 150))[149]!));
    expect(none).toEqual(bits(allLogits((await start(undefined)).runner, ids.slice(0, 150))[149]!));
    expect(first).not.toEqual(both);
    expect(first).not.toEqual(none);
    await expect(start(40, {}, pattern([true]))).rejects.toMatchObject({ code: 'unsupported' });
  });
});
