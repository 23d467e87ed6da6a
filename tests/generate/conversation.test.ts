// Conversations longer than the context: whole turns are forgotten, the oldest first; the rest is as a fresh model reads it.
import { describe, expect, test } from 'vitest';
import { defaultModel } from 'stonechat/default-model';
import { load } from '../../src/entry/node.js';
import { createSession } from '../../src/generate/session.js';
import { Turns } from '../../src/generate/turns.js';
import type { ChatMessage, GenerateOptions } from '../../src/generate/types.js';
import { BOS, collect, EOT, idsOf, spell, textOf, toyEngine, toyParts, toyRunner } from './support.js';

const system: ChatMessage = { role: 'system', content: 'be kind' };
const user = (content: string): ChatMessage => ({ role: 'user', content });
const assistant = (content: string): ChatMessage => ({ role: 'assistant', content });
const GREEDY: GenerateOptions = { temperature: 0, ignoreEos: true };

/** What the toy template makes of messages. */
const idsFor = (messages: readonly ChatMessage[]): number[] => [BOS, ...messages.flatMap(({ role, content }) => [...spell(`${role}:${content}`), EOT])];
const encode = async (messages: readonly ChatMessage[]) => Int32Array.from(idsFor(messages));
const turnsOf = async (messages: readonly ChatMessage[]) => new Turns(messages, await encode(messages), encode);

/** A conversation of `count` turns of about 40 tokens. */
const talk = (count: number): ChatMessage[] => [system, ...Array.from({ length: count }, (_, i) => [user(`q${i} ${'x'.repeat(8)}`), assistant(`a${i} ${'y'.repeat(8)}`)]).flat()].slice(0, -1);

describe('what is forgotten', () => {
  test('nothing, while all fits', async () => {
    const messages = talk(3);
    const whole = idsFor(messages);
    expect(await (await turnsOf(messages)).fitting(0, whole.length)).toEqual({ ids: Int32Array.from(whole), messages: 0 });
    expect((await (await turnsOf(messages)).fitting(1, whole.length))!.messages).toBe(4);
  });

  test('for one token too many a quarter, in whole turns; never the system message nor the last turn', async () => {
    const messages = talk(20);
    const whole = idsFor(messages).length;
    const { ids, messages: count } = (await (await turnsOf(messages)).fitting(0, whole - 1))!;
    expect(count % 2).toBe(0);
    expect(Array.from(ids)).toEqual(idsFor([system, ...messages.slice(1 + count)]));
    const forgotten = whole - ids.length;
    expect(forgotten).toBeGreaterThanOrEqual((whole - 1) / 4 - 1);
    expect(forgotten).toBeLessThan((whole - 1) / 4 + 2 * 45);
    for (let context = whole; context > 60; context--) {
      const kept = (await (await turnsOf(messages)).fitting(0, context))!;
      expect(kept.ids.length).toBeLessThanOrEqual(context);
      expect(Array.from(kept.ids)).toEqual(idsFor([system, ...messages.slice(1 + kept.messages)]));
    }
    const least = idsFor([system, messages.at(-1)!]).length;
    expect((await (await turnsOf(messages)).fitting(0, least))!.messages).toBe(messages.length - 2);
    expect(await (await turnsOf(messages)).fitting(0, least - 1)).toBeUndefined();
  });

  test('a greeting goes first, tool messages go with their turn, a conversation without a system message loses none', async () => {
    const greeted = [system, assistant('hello '.repeat(9)), user('one'), { role: 'tool', content: 'out' }, assistant('1'), user('two')];
    const whole = idsFor(greeted).length;
    expect((await (await turnsOf(greeted)).fitting(0, whole - 1))!.messages).toBe(4);
    expect((await (await turnsOf(greeted)).fitting(0, whole - 80))!.messages).toBe(4);
    const plain = greeted.slice(2);
    expect((await (await turnsOf(plain)).fitting(0, idsFor(plain).length - 1))!.messages).toBe(3);
  });

  test('without a message of the user each message is a turn', async () => {
    const messages = Array.from({ length: 9 }, (_, i) => ({ role: 'voice', content: `line ${i}` }));
    expect((await (await turnsOf(messages)).fitting(0, idsFor(messages).length - 1))!.messages).toBe(4);
  });

  test('thousands of turns are rendered a few times', async () => {
    const messages = talk(3000);
    let rendered = 0;
    const counting = (list: readonly ChatMessage[]) => (rendered++, encode(list));
    await new Turns(messages, await encode(messages), counting).fitting(0, 1000);
    expect(rendered).toBeLessThan(20);
  });
});

describe('a chat that goes on', () => {
  const CONTEXT = 256;
  const MAX = 12;

  test('each answer is that of a fresh model, the cache of what stays is kept, and most turns read only what is new', async () => {
    const runner = toyRunner({ contextLength: CONTEXT });
    const session = createSession(toyEngine({ runner }));
    const history: ChatMessage[] = [system];
    let evaluated = 0;
    const rereads: number[] = [];
    for (let turn = 0; turn < 40; turn++) {
      history.push(user(`question ${turn}`));
      runner.evaluations.length = 0;
      const generation = session.generate(history, { ...GREEDY, overflow: 'slide', maxTokens: MAX });
      const first = (await generation.next()).value!;
      const { summary } = generation;
      const before = summary.forgottenMessages;
      const ids = idsOf([first, ...(await collect(generation))]);
      const kept = [system, ...history.slice(1 + summary.forgottenMessages)];
      const fresh = createSession(toyEngine({ contextLength: CONTEXT })).generate(idsFor(kept), { ...GREEDY, overflow: 'slide', maxTokens: MAX });
      // Where nothing was forgotten in the middle of the answer, a fresh model says the same to the shorter conversation.
      if (before === summary.forgottenMessages) expect(ids).toEqual(idsOf(await collect(fresh)));
      expect(summary).toMatchObject({ finish: 'length', promptTokens: idsFor(history).length, tokens: MAX });
      expect(summary.forgottenTokens).toBe(idsFor(history).length - idsFor(kept).length);
      if (summary.forgottenMessages > 0) expect(summary.reusedTokens === 0 || summary.reusedTokens >= idsFor([system]).length).toBe(true);
      const count = runner.evaluations.reduce((sum, { ids: batch }) => sum + batch.length, 0);
      evaluated += count;
      if (count > 100) rereads.push(turn);
      history.push(assistant(summary.text));
    }
    expect(rereads.length).toBeGreaterThan(3);
    expect(rereads.length).toBeLessThan(20); // every second turn at most
    expect(evaluated).toBeLessThan(40 * 130);
  });

  test('what is said depends on the messages, not on what the session did before', async () => {
    const messages = talk(12);
    const options: GenerateOptions = { ...GREEDY, overflow: 'slide', maxTokens: 60, hashLogits: true };
    const engine = () => createSession(toyEngine({ contextLength: 200 }));
    const fresh = engine().generate(messages, options);
    await collect(fresh);
    const session = engine();
    for (const count of [2, 5, 7, 11]) await collect(session.generate(talk(count), options));
    const again = session.generate(messages, options);
    await collect(again);
    expect(again.summary.logitsHash).toBe(fresh.summary.logitsHash);
    expect(again.summary.text).toBe(fresh.summary.text);
  });

  test('in the middle of an answer turns are forgotten, and the answer goes on', async () => {
    const messages = talk(6);
    const context = idsFor(messages).length + 5;
    const generation = createSession(toyEngine({ contextLength: context })).generate(messages, { ...GREEDY, overflow: 'slide', maxTokens: 40 });
    const tokens = await collect(generation);
    expect(generation.summary).toMatchObject({ finish: 'length', tokens: 40 });
    expect(generation.summary.forgottenMessages).toBeGreaterThan(0);
    const kept = idsFor([system, ...messages.slice(1 + generation.summary.forgottenMessages)]);
    const before = idsOf(tokens).slice(0, 39);
    const fresh = createSession(toyEngine({ contextLength: 4000 })).generate([...kept, ...before], { ...GREEDY, maxTokens: 1 });
    expect(idsOf(await collect(fresh))).toEqual(idsOf(tokens).slice(39));
  });

  test('an answer that fills the context with its question alone is marked as cut', async () => {
    const messages = talk(4);
    const generation = createSession(toyEngine({ contextLength: 60 })).generate(messages, { ...GREEDY, overflow: 'slide' });
    const tokens = await collect(generation);
    expect(tokens.at(-1)!.finish).toBe('context');
    expect(generation.summary.forgottenMessages).toBe(messages.length - 2);
    expect(idsFor([system, messages.at(-1)!]).length + tokens.length - 1).toBe(60);
    expect(textOf(tokens)).toBe(generation.summary.text);
  });

  test('a last message that is too long is refused, not cut', async () => {
    const generation = createSession(toyEngine({ contextLength: 60 })).generate([system, user('short'), assistant('yes'), user('long '.repeat(20))], { overflow: 'slide' });
    await expect(collect(generation)).rejects.toMatchObject({ code: 'context-full', message: expect.stringMatching(/last message.*60 tokens.*Shorten the message/) });
  });

  test('a template that fails on the shorter conversation says so', async () => {
    const parts = toyParts({ contextLength: 100 });
    const engine = toyEngine({ contextLength: 100 });
    let calls = 0;
    Object.assign(engine, { renderChat: async (messages: readonly ChatMessage[]) => (calls++ ? Promise.reject(new Error('roles')) : parts.renderChat(messages)) });
    await expect(collect(createSession(engine).generate(talk(10), { overflow: 'slide' }))).rejects.toThrow('roles');
  });
});

describe('on a real model', () => {
  test('the bits are those of a fresh model to the shorter conversation', async () => {
    using model = await load(defaultModel(), { chatTemplate: 'chatml', contextLength: 200 });
    const options: GenerateOptions = { temperature: 0, ignoreEos: true, maxTokens: 12, hashLogits: true };
    const history: ChatMessage[] = [system];
    let compared = 0;
    for (let turn = 0; turn < 12; turn++) {
      history.push(user(`And then what did bird ${turn} do?`));
      const generation = model.generate(history, { ...options, overflow: 'slide' });
      await generation.next();
      const { summary } = generation;
      const forgotten = summary.forgottenMessages;
      await generation.text();
      if (forgotten > 0 && forgotten === summary.forgottenMessages) {
        using fresh = model.createSession();
        const shorter = fresh.generate([system, ...history.slice(1 + forgotten)], options);
        expect([await shorter.text(), shorter.summary.logitsHash]).toEqual([summary.text, summary.logitsHash]);
        compared++;
      }
      history.push(assistant(summary.text));
    }
    expect(compared).toBeGreaterThan(3);
  });
});

describe('texts', () => {
  test('count what the oldest half was', async () => {
    const generation = createSession(toyEngine({ contextLength: 10 })).generate('a prompt that is much too long', { ...GREEDY, overflow: 'slide', maxTokens: 1 });
    await collect(generation);
    expect(generation.summary).toMatchObject({ promptTokens: 31, forgottenTokens: 31 - 5, forgottenMessages: 0 });
  });
});

test('the rate of reading counts what was read', async () => {
  const session = createSession(toyEngine({ contextLength: 300 }));
  const messages = talk(40);
  const generation = session.generate(messages, { ...GREEDY, overflow: 'slide', maxTokens: 1 });
  await collect(generation);
  const { prefillTokensPerSecond, prefillSeconds, promptTokens, forgottenTokens } = generation.summary;
  expect(prefillTokensPerSecond * prefillSeconds).toBeCloseTo(promptTokens - forgottenTokens, 6);
});
