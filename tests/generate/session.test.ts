import { describe, expect, test } from 'vitest';
import { createModel } from '../../src/generate/model.js';
import { createSession } from '../../src/generate/session.js';
import type { GenerateOptions, ModelInfo } from '../../src/generate/types.js';
import { BOS, collect, idsOf, spell, toyEngine, toyLogits, toyParts, toyRunner, turn } from './support.js';

const GREEDY: GenerateOptions = { temperature: 0, maxTokens: 25 };
const expected = async (prompt: string, options: GenerateOptions = GREEDY) => idsOf(await collect(createSession(toyEngine()).generate(prompt, options)));
const PROMPTS = ['one', 'two two', 'one more', 'x'.repeat(150), 'a', 'one', 'seven', 'x'.repeat(151)];

describe('many at once', () => {
  test('on one session they queue in order, each as if alone', async () => {
    const runner = toyRunner();
    const session = createSession(toyEngine({ runner }));
    const finished: number[] = [];
    const all = PROMPTS.map(async (prompt, i) => {
      const ids = idsOf(await collect(session.generate(prompt, GREEDY)));
      finished.push(i);
      return ids;
    });
    expect(await Promise.all(all)).toEqual(await Promise.all(PROMPTS.map((prompt) => expected(prompt))));
    expect(finished).toEqual(PROMPTS.map((_, i) => i));
    expect(runner.live.size).toBe(1);
  });

  test('different sessions interleave token by token, each as if alone', async () => {
    const runner = toyRunner();
    const engine = toyEngine({ runner });
    const options = { ...GREEDY, temperature: 1, seed: 3, topP: 0.9, hashLogits: true };
    const generations = PROMPTS.map((prompt) => createSession(engine).generate(prompt, options));
    const ids = (await Promise.all(generations.map(collect))).map(idsOf);
    expect(ids).toEqual(await Promise.all(PROMPTS.map((prompt) => expected(prompt, options))));
    const decoding = runner.evaluations.filter(({ ids: batch, logits }) => batch.length === 1 && logits === 'last').map(({ cache }) => cache);
    const switches = decoding.filter((cache, i) => i > 0 && cache !== decoding[i - 1]).length;
    expect(switches).toBeGreaterThan(decoding.length / 2);
    const alone = createSession(toyEngine()).generate(PROMPTS[3]!, options);
    await collect(alone);
    expect(generations[3]!.summary.logitsHash).toBe(alone.summary.logitsHash);
  });

  test('aborts, breaks and failures among them leave the others alone', async () => {
    const engine = toyEngine();
    const session = createSession(engine);
    const controller = new AbortController();
    const aborted = collect(session.generate('aborted', { ...GREEDY, signal: controller.signal })).catch((error: { code: string }) => error.code);
    const broken = (async () => {
      for await (const token of session.generate('broken', GREEDY)) return token.id;
    })();
    const thrown = (async () => {
      for await (const token of session.generate('thrown', GREEDY)) throw new Error(`saw ${token.id}`);
    })().catch((error: Error) => error.message);
    const waiting = new AbortController();
    const neverStarted = collect(session.generate('never', { ...GREEDY, signal: waiting.signal })).catch((error: { code: string }) => error.code);
    const last = collect(session.generate('last', GREEDY));
    waiting.abort();
    await turn();
    controller.abort();
    expect(await aborted).toBe('aborted');
    expect(await neverStarted).toBe('aborted');
    expect(await broken).toBe((await expected('broken'))[0]);
    expect(await thrown).toBe(`saw ${(await expected('thrown'))[0]}`);
    expect(idsOf(await last)).toEqual(await expected('last'));
  });
});

describe('a generation that is left lying', () => {
  test('is overtaken, and goes on rightly when taken up again', async () => {
    const session = createSession(toyEngine());
    const left = session.generate('left', GREEDY);
    const first = [(await left.next()).value!, (await left.next()).value!];
    expect(idsOf(await collect(session.generate('other', GREEDY)))).toEqual(await expected('other'));
    expect(idsOf([...first, ...(await collect(left))])).toEqual(await expected('left'));
  });

  test('nested generations on one session end', async () => {
    const session = createSession(toyEngine());
    const outer: number[] = [];
    for await (const token of session.generate('outer', { ...GREEDY, maxTokens: 2 })) {
      outer.push(token.id);
      if (outer.length === 1) expect(idsOf(await collect(session.generate('inner', GREEDY)))).toEqual(await expected('inner'));
    }
    expect(outer).toEqual((await expected('outer')).slice(0, 2));
  });

  test('never started, it holds up nobody', async () => {
    const session = createSession(toyEngine());
    const never = session.generate('never', GREEDY);
    expect(await collect(session.generate('b', GREEDY))).toHaveLength(25);
    expect(await never.return!(undefined)).toEqual({ done: true, value: undefined });
  });
});

describe('failures and ends', () => {
  test('an error of the runner reaches the caller, and the next generation is right', async () => {
    const runner = toyRunner();
    const session = createSession(toyEngine({ runner }));
    const generation = session.generate('abc', GREEDY);
    await generation.next();
    runner.failure = new Error('worker died');
    await expect(generation.next()).rejects.toThrow('worker died');
    runner.failure = undefined;
    expect(idsOf(await collect(session.generate('abcd', GREEDY)))).toEqual(await expected('abcd'));
  });

  test('a signal that has fired already: nothing is evaluated', async () => {
    const runner = toyRunner();
    const generation = createSession(toyEngine({ runner })).generate('abc', { signal: AbortSignal.abort('why') });
    await expect(generation.next()).rejects.toMatchObject({ code: 'aborted', cause: 'why' });
    expect(runner.evaluations).toEqual([]);
    expect(await generation.next()).toEqual({ done: true, value: undefined });
  });

  test('after the last token the signal has nothing to say', async () => {
    const controller = new AbortController();
    const generation = createSession(toyEngine()).generate('abc', { ...GREEDY, maxTokens: 1, signal: controller.signal });
    for await (const token of generation) {
      expect(token.finish).toBe('length');
      controller.abort();
    }
    expect(generation.summary.finish).toBe('length');
  });

  test('dispose frees the cache and ends what runs and waits', async () => {
    const runner = toyRunner();
    const engine = toyEngine({ runner });
    const session = createSession(engine);
    const running = session.generate('abc', GREEDY);
    await running.next();
    const waiting = session.generate('abc', GREEDY).next();
    await turn();
    session.dispose();
    session.dispose();
    expect(runner.live.size).toBe(0);
    await expect(waiting).rejects.toMatchObject({ code: 'disposed' });
    await expect(running.next()).rejects.toMatchObject({ code: 'disposed' });
    expect(() => session.generate('abc')).toThrow(expect.objectContaining({ code: 'disposed' }));
    expect(await collect(createSession(engine).generate('abc', GREEDY))).toHaveLength(25);
  });

  test('dispose in the middle of a prefill', async () => {
    const session = createSession(toyEngine({ contextLength: 5000 }));
    const generation = session.generate('x'.repeat(3000), { ...GREEDY, onProgress: ({ done }) => done >= 640 && session.dispose() });
    await expect(generation.next()).rejects.toMatchObject({ code: 'disposed' });
  });

  test('caches are taken when needed, one per session', async () => {
    const runner = toyRunner();
    const engine = toyEngine({ runner });
    const sessions = [createSession(engine), createSession(engine), createSession(engine)];
    expect(runner.live.size).toBe(0);
    await collect(sessions[0]!.generate('a', GREEDY));
    await collect(sessions[0]!.generate('b', GREEDY));
    expect(runner.live.size).toBe(1);
  });
});

describe('the model', () => {
  const info = { name: 'toy' } as ModelInfo;

  test('generates, opens sessions, gives logits without touching them', async () => {
    const parts = toyParts({ maxBatch: 8 });
    const model = createModel(parts, info);
    const generation = model.generate('abc', GREEDY);
    const first = (await generation.next()).value!;
    const logits = await model.logits('a longer text than a batch');
    expect(Array.from(logits)).toEqual(Array.from(toyLogits([BOS, ...spell('a longer text than a batch')])));
    expect(Array.from(await model.logits([1, 2, 3]))).toEqual(Array.from(toyLogits([1, 2, 3])));
    expect(idsOf([first, ...(await collect(generation))])).toEqual(await expected('abc'));
    expect(parts.runner.live.size).toBe(1);
    await expect(model.logits('a', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'aborted' });
    await expect(model.logits('x'.repeat(600))).rejects.toMatchObject({ code: 'context-full' });
    await expect(model.logits([])).rejects.toMatchObject({ code: 'bad-option' });
  });

  test('dispose ends all its sessions', async () => {
    const parts = toyParts();
    {
      using model = createModel(parts, info);
      const session = model.createSession();
      model.createSession().dispose();
      await session.generate('a', GREEDY).next();
      const running = model.generate('a', GREEDY);
      await running.next();
      model.dispose();
      await expect(running.next()).rejects.toMatchObject({ code: 'disposed' });
      expect(() => session.generate('a')).toThrow(expect.objectContaining({ code: 'disposed' }));
    }
    expect(parts.runner.live.size).toBe(0);
  });
});
