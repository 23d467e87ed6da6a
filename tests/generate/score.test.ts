import { describe, expect, test } from 'vitest';
import { createModel } from '../../src/generate/model.js';
import { createSession } from '../../src/generate/session.js';
import type { ModelInfo, PrefillProgress, Token } from '../../src/generate/types.js';
import { judgeChoices, judgeContinuations, judgeLastWords, perplexity, type Reader } from '../../src/judge/index.js';
import { softmax } from '../sample/reference.js';
import { BOS, collect, EOT, idsOf, spell, textOf, toyEngine, toyLogits, toyParts, toyRunner, VOCABULARY, word } from './support.js';

const all = async (tokens: AsyncIterable<Token>): Promise<Token[]> => {
  const list: Token[] = [];
  for await (const token of tokens) list.push(token);
  return list;
};
const modelOf = (options: Parameters<typeof toyParts>[0] = {}) => {
  const parts = toyParts(options);
  return { parts, model: createModel(parts, { name: 'toy' } as ModelInfo) };
};

describe('score', () => {
  test('gives each token the probability it had', async () => {
    const { model, parts } = modelOf({ maxBatch: 8 });
    const ids = [BOS, ...spell('a text of some length')];
    const tokens = await all(model.score('a text of some length', { top: 2 }));
    expect(idsOf(tokens)).toEqual(ids.slice(1));
    tokens.forEach(({ id, logprob, top }, i) => {
      const probabilities = softmax(Array.from(toyLogits(ids.slice(0, i + 1))));
      expect(logprob).toBeCloseTo(Math.log(probabilities[id]!), 4);
      expect(top).toHaveLength(2);
    });
    expect(parts.runner.live.size).toBe(0);
  });

  test('takes a cache as large as the text', async () => {
    const runner = toyRunner({ contextLength: 4096 });
    const sizes: (number | undefined)[] = [];
    const { newSequence } = runner;
    runner.newSequence = (tokens) => (sizes.push(tokens), newSequence(tokens));
    const { model } = modelOf({ runner });
    await all(model.score('abcdef'));
    await model.logits('abcdef');
    expect(sizes).toEqual([6, 7]);
  });

  test('cuts the text at tokens: inside a character there is none; ids that the tokenizer lacks have none', async () => {
    const { model } = modelOf();
    const tokens = await all(model.score('né€😀'));
    expect(tokens.map(({ text }) => text)).toEqual(['n', '', 'é', '', '', '€', '', '', '', '😀']);
    const cut = await all(model.score([...spell('é'), ...spell('€').slice(0, 2)]));
    expect(cut.map(({ text }) => text)).toEqual(['é', '', '\ufffd']);
    expect(textOf(await all(model.score([BOS, word('ÄÖ'), ...spell('!')])))).toBe('ÄÖ!');
  });

  test('one token is refused, and so are options that judge nothing', async () => {
    const { model } = modelOf();
    for (const prompt of [[5], '']) await expect(all(model.score(prompt))).rejects.toMatchObject({ code: 'bad-option', found: '1 token' });
    for (const options of [{ temperature: 0 }, { maxTokens: 1 }, { continuation: '' }, { continuation: [] }, { continuation: [VOCABULARY] }, { addGenerationPrompt: 1 }]) {
      await expect(all(model.score('abc', options as object))).rejects.toMatchObject({ code: 'bad-option' });
    }
    await expect(model.logits('abc', { top: 1 } as object)).rejects.toMatchObject({ code: 'bad-option', message: expect.stringContaining('logits()') });
  });

  test('of a conversation ends where it ends', async () => {
    const { model, parts } = modelOf();
    const asked: unknown[] = [];
    const { renderChat } = parts;
    Object.assign(parts, { renderChat: (messages: never, options: unknown) => (asked.push(options), renderChat(messages)) });
    const other = createModel(parts, {} as ModelInfo);
    await all(other.score([{ role: 'user', content: 'hi' }]));
    await all(other.score([{ role: 'user', content: 'hi' }], { addGenerationPrompt: true }));
    await all(other.score([{ role: 'user', content: 'hi' }], { continuation: 'yes' }));
    expect(asked).toEqual([{ add_generation_prompt: false }, undefined, undefined]);
    void model;
  });

  test('says how far it is', async () => {
    const seen: PrefillProgress[] = [];
    await all(modelOf({ maxBatch: 8 }).model.score('x'.repeat(40), { continuation: 'yz', onProgress: (progress) => seen.push(progress) }));
    expect(seen.at(-1)).toEqual({ phase: 'prefill', done: 42, total: 42 });
    expect(seen.map(({ done }) => done)).toEqual(seen.map(({ done }) => done).sort((a, b) => a - b));
  });

  test('is stopped by its signal, and ends with its session', async () => {
    await expect(all(modelOf().model.score('abc', { signal: AbortSignal.abort() }))).rejects.toMatchObject({ code: 'aborted' });
    const session = createSession(toyEngine({ maxBatch: 8 }));
    const reading = session.score('x'.repeat(100));
    await reading.next();
    session.dispose();
    await expect(all(reading)).rejects.toMatchObject({ code: 'disposed' });
  });
});

describe('score on a session', () => {
  test('shares its cache, in any order with its generations', async () => {
    const runner = toyRunner();
    const session = createSession(toyEngine({ runner }));
    const plain = await all(modelOf().model.score('abcdefgh'));
    await collect(session.generate('abcdef', { temperature: 0, maxTokens: 4 }));
    expect(await all(session.score('abcdefgh'))).toEqual(plain);
    const answer = session.generate('abcdefgh', { temperature: 0, maxTokens: 3 });
    const fresh = createSession(toyEngine()).generate('abcdefgh', { temperature: 0, maxTokens: 3 });
    expect(idsOf(await collect(answer))).toEqual(idsOf(await collect(fresh)));
    expect(answer.summary.reusedTokens).toBe(8);
    expect(runner.live.size).toBe(1);
  });

  test('queues with them', async () => {
    const session = createSession(toyEngine());
    const [tokens, scored, more] = await Promise.all([
      collect(session.generate('abc', { temperature: 0, maxTokens: 20 })), all(session.score('xyz')), collect(session.generate('abc', { temperature: 0, maxTokens: 20 })),
    ]);
    expect(idsOf(more)).toEqual(idsOf(tokens));
    expect(scored).toEqual(await all(modelOf().model.score('xyz')));
  });
});

describe('continuations', () => {
  test('are judged as the whole is; the prompt is read once', async () => {
    const runner = toyRunner({ contextLength: 2000 });
    const { model } = modelOf({ runner });
    const prompt = 'x'.repeat(961);
    const labels = ['good', 'bad', 'né', 'g', 'goodness'];
    const found = await judgeContinuations(model, prompt, labels);
    const evaluated = runner.evaluations.reduce((sum, { ids }) => sum + ids.length, 0);
    expect(evaluated).toBeLessThanOrEqual(962 + labels.join('').length + 5);
    for (const [i, label] of labels.entries()) {
      const whole = (await all(model.score(prompt + label, { top: 1 }))).slice(961);
      expect(found[i]!.tokens).toEqual(whole);
      expect(found[i]!.logprob).toBe(whole.reduce((sum, { logprob }) => sum + logprob, 0));
      expect(found[i]!.greedy).toBe(whole.every(({ id, top }) => top[0]!.id === id));
    }
    expect(runner.live.size).toBe(0);
  });

  test('go after ids and conversations too, as text or ids', async () => {
    const { model } = modelOf();
    const ids = spell('abc');
    const [text, given] = await judgeContinuations(model, ids, ['de', spell('de')]);
    expect(given).toEqual(text);
    expect(idsOf(text!.tokens)).toEqual(spell('de'));
    const [answer] = await judgeContinuations(model, [{ role: 'user', content: 'hi' }], ['ok']);
    const whole = await all(model.score([BOS, ...spell('user:hi'), EOT, ...spell('ok')], { top: 1 }));
    expect(answer!.tokens).toEqual(whole.slice(-2));
  });

  test('none, and one that is empty, are refused; the session is let go', async () => {
    const { model, parts } = modelOf();
    await expect(judgeContinuations(model, 'a', [])).rejects.toMatchObject({ code: 'bad-option' });
    await expect(judgeContinuations(model, 'a', ['b', ''])).rejects.toMatchObject({ code: 'bad-option' });
    await expect(judgeContinuations(model, 'a', ['b'], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'aborted' });
    expect(parts.runner.live.size).toBe(0);
  });
});

describe('judges', () => {
  /** A model, and the same as a reader that knows whole texts only. */
  const both = () => {
    const runner = toyRunner({ contextLength: 300 });
    const { model } = modelOf({ runner });
    const info = { contextLength: 300 } as ModelInfo;
    return { runner, model: { ...model, info }, plain: { tokenizer: model.tokenizer, info, score: (prompt: number[], options: object) => model.score(prompt, options) } as Reader };
  };
  const work = ({ evaluations }: ReturnType<typeof both>['runner']) => ({
    tokens: evaluations.reduce((sum, { ids }) => sum + ids.length, 0),
    judged: evaluations.reduce((sum, { ids, logits }) => sum + (logits === 'all' ? ids.length : 0), 0),
  });

  test('read what choices share once, and compute logits where they are needed; the numbers stay', async () => {
    const questions = [{ prompt: 'q'.repeat(80), choices: ['one', 'two', 'three', 'four'], answer: 2 }];
    const { runner, model, plain } = both();
    const expected = await judgeChoices(plain, questions);
    const whole = work(runner);
    runner.evaluations.length = 0;
    expect(await judgeChoices(model, questions)).toEqual(expected);
    expect(work(runner).tokens).toBeLessThan(whole.tokens / 2);
    expect(work(runner).judged).toBeLessThan(40);
    expect(runner.live.size).toBe(0);
  });

  test('of last words and of windows too', async () => {
    const { runner, model, plain } = both();
    const texts = ['the owl sat on a tree', 'a word at the end'];
    const text = 'abc def ghi. '.repeat(60);
    const expected = [await judgeLastWords(plain, texts), await perplexity(plain, text, { window: 100, stride: 40 })];
    const whole = work(runner);
    runner.evaluations.length = 0;
    expect([await judgeLastWords(model, texts), await perplexity(model, text, { window: 100, stride: 40 })]).toEqual(expected);
    expect(work(runner).judged).toBeLessThan(whole.judged / 1.5);
  });
});

test('logits that are no numbers are refused wherever they are read', async () => {
  for (const bad of [NaN, Infinity, -Infinity]) {
    const runner = toyRunner();
    const { run } = runner;
    runner.run = function (...args) {
      run.apply(this, args);
      runner.logits()[7] = bad;
    };
    const { model } = modelOf({ runner });
    await expect(model.logits('abc')).rejects.toMatchObject({ code: 'bad-file' });
    if (bad === -Infinity) continue; // a probability of 0
    await expect(all(model.score('abc'))).rejects.toMatchObject({ code: 'bad-file' });
    await expect(collect(model.generate('abc'))).rejects.toMatchObject({ code: 'bad-file' });
    await expect(judgeContinuations(model, 'abc', ['d'])).rejects.toMatchObject({ code: 'bad-file' });
  }
});
