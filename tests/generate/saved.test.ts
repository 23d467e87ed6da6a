// Sessions that are copied, saved and restored say what they would have said.
import { afterAll, describe, expect, it } from 'vitest';
import type { ModelFile } from '../../src/files/types.js';
import { createModel } from '../../src/generate/model.js';
import type { Model, ModelInfo } from '../../src/generate/types.js';
import { nodeHost } from '../../src/host/node.js';
import { loadRunner, type RunnerOptions } from '../../src/run/load.js';
import { buildsHere } from '../kernels/support.js';
import { tinyModel, tinyNplm } from '../models/tiny.js';
import { ordinary } from '../run/support.js';
import { toyTokenizer, turn } from './support.js';

const shape = { architecture: 'llama', embedding: 48, layers: 2, heads: 6, kvHeads: 2, feedForward: 88, vocabulary: 263, context: 400 } as const;
const greedy = { temperature: 0, ignoreEos: true, top: 0, hashLogits: true } as const;
const models: Model[] = [];
afterAll(() => models.forEach((model) => model.dispose()));

async function open(options: Partial<RunnerOptions> = {}, file: ModelFile = tinyModel(shape)): Promise<Model> {
  const { runner, arena } = await loadRunner(nodeHost(), file, { ...ordinary, ...options });
  const model = createModel({ runner, arena, tokenizer: toyTokenizer(), renderChat: () => Promise.reject(new Error('none')), yield: turn }, { vocabulary: 263 } as ModelInfo);
  models.push(model);
  return model;
}
const prompt = Array.from({ length: 150 }, (_, i) => (i * 31) % 256);
const longer = [...prompt, 7, 8, 9];
async function say(session: Pick<Model, 'generate'>, ids = longer): Promise<[hash: string | undefined, reused: number]> {
  const generation = session.generate(ids, { ...greedy, maxTokens: 5 });
  await generation.text();
  return [generation.summary.logitsHash, generation.summary.reusedTokens];
}

describe('append', () => {
  it('reads a prompt that need not be read again', async () => {
    const model = await open();
    const session = model.createSession();
    expect(await session.append(prompt)).toBe(150);
    const [hash, reused] = await say(session);
    expect([hash, reused]).toEqual([(await say(model))[0], 150]);
  });

  it('refuses options that it has none of', async () => {
    const model = await open();
    await expect(model.append('a', { maxTokens: 3 } as object)).rejects.toMatchObject({ code: 'bad-option' });
  });
});

describe('fork', () => {
  it('holds the same, and goes its own way', async () => {
    const model = await open();
    const [expected] = await say(model);
    const [other] = await say(model, [...prompt, 1]);
    const first = model.createSession();
    await first.append(prompt);
    const forks = [first.fork(), first.fork()];
    expect(await say(forks[0]!)).toEqual([expected, 150]);
    expect(await say(first, [...prompt, 1])).toEqual([other, 150]);
    first.dispose();
    expect(await say(forks[1]!)).toEqual([expected, 150]);
    expect(() => first.fork()).toThrow(expect.objectContaining({ code: 'disposed' }));
  });
});

describe('save and restore', () => {
  it.each(buildsHere())('from the %s build to every other: the same bits, nothing read again', async (build) => {
    const from = await open({ build });
    await from.append(prompt);
    const saved = await from.save();
    const [expected] = await say(await open());
    for (const to of buildsHere()) {
      const session = await (await open({ build: to, threads: 2 })).restoreSession(saved.slice());
      expect(await say(session)).toEqual([expected, 150]);
    }
  });

  it('of a session that holds nothing, and of models that keep ids alone', async () => {
    const model = await open();
    expect(await say(await model.restoreSession(await model.save()))).toEqual([(await say(model))[0], 0]);
    const nplm = await open({}, tinyNplm({ embedding: 24, window: 4, feedForward: 37, vocabulary: 263, padding: 7 }));
    await nplm.append(prompt);
    expect((await say(await nplm.restoreSession(await nplm.save())))[0]).toBe((await say(nplm))[0]);
  });

  it('is refused by another model, another cache, a shorter context, and where bytes are damaged', async () => {
    const model = await open();
    await model.append(prompt);
    const saved = await model.save();
    const others = [await open({ kvCache: 'q8_0' }), await open({}, tinyModel(shape, 2)), await open({}, tinyModel({ ...shape, kvHeads: 6 }))];
    for (const other of others) await expect(other.restoreSession(saved)).rejects.toMatchObject({ code: 'bad-file', found: expect.stringContaining('another model') });
    await expect((await open({ contextLength: 100 })).restoreSession(saved)).rejects.toMatchObject({ code: 'context-full' });
    for (const at of [0, 5, saved.length - 1, saved.length - 5000, saved.indexOf(10, 20) + 3]) {
      const damaged = saved.slice();
      damaged[at]! ^= 64;
      await expect(model.restoreSession(damaged), `at ${at}`).rejects.toMatchObject({ code: 'bad-file' });
    }
    for (const end of [0, 10, 100, saved.length - 1]) await expect(model.restoreSession(saved.subarray(0, end))).rejects.toMatchObject({ code: 'bad-file' });
    await expect(model.restoreSession('text' as unknown as Uint8Array)).rejects.toMatchObject({ code: 'bad-option' });
    expect(await say(await model.restoreSession(saved))).toEqual([(await say(model))[0], 150]);
  });
});

describe('a limit of memory', () => {
  it('makes sessions at rest forget, and refuses what is more than all of it', async () => {
    const { plan: { pageBytes }, runner } = await loadRunner(nodeHost(), tinyModel(shape), ordinary);
    runner.dispose();
    const model = await open({ maxCacheBytes: 4 * pageBytes });
    const sessions = Array.from({ length: 5 }, () => model.createSession());
    const short = prompt.slice(0, 50);
    for (const session of sessions) await session.append(short);
    expect((await say(sessions[4]!, [...short, 1]))[1]).toBe(50);
    expect((await say(sessions[0]!, [...short, 1]))[1]).toBe(0);
    await expect(model.append(Array.from({ length: 300 }, () => 1))).rejects.toMatchObject({ code: 'out-of-memory', found: expect.stringContaining('limit') });
    expect((await say(sessions[1]!, [...short, 1]))[0]).toBe((await say(await open(), [...short, 1]))[0]);
  });
});
