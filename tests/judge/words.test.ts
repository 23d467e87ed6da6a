// Words and texts of every script, cut at tokens that may end inside a character.
import { homedir } from 'node:os';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { load } from '../../src/entry/node.js';
import type { Model, Token } from '../../src/generate/types.js';
import { judgeContinuations, trust, trustHtml } from '../../src/judge/index.js';

const token = (text: string, probability = 0.9): Token => ({ id: 1, text, logprob: Math.log(probability), entropy: 1, top: [] });
const words = (tokens: readonly Token[]) => trust(tokens, { spans: 1 }).spans[0]!;

describe('words', () => {
  test.each<[string, Token[], string, number, number]>([
    ['a space with half a character', [token('Да'), token(' ', 0.01), token('П'), token('ариж'), token(' да')], 'Париж', 1, 4],
    ['characters of several tokens', [token('we'), token(' '), token('', 0.01), token(''), token('😀x'), token(' go')], '😀x', 1, 5],
    ['a script without spaces', [token('我'), token(''), token('', 0.01), token('喜'), token('欢')], '喜', 1, 4],
    ['a space of its own', [token('a'), token(' '), token('b', 0.01), token(' c')], 'b', 1, 3],
    ['an apostrophe', [token('It'), token('’s', 0.01), token(' a')], 'It’s', 0, 2],
    ['a straight apostrophe', [token('café'), token("'s", 0.01), token(' a')], "café's", 0, 2],
    ['opening quotes', [token('said'), token(' “'), token('Hello', 0.01), token(',”'), token(' she')], '“Hello,”', 1, 4],
    ['lines', [token('one'), token('\n'), token('two', 0.01), token('\n'), token('three')], 'two', 1, 3],
  ])('%s', (_, tokens, text, first, end) => {
    expect(words(tokens)).toMatchObject({ text, first, end });
  });

  test('each letter belongs to one word, whatever the tokens', () => {
    const parts = ['', ' ', 'a', ' b', 'c ', '“', '漢', '\n', "'s", '.'];
    for (let seed = 1; seed < 3000; seed++) {
      const tokens = Array.from({ length: seed % 9 }, (_, i) => token(parts[(seed * 7919 + i * 104729 + ((seed * i) >> 2)) % parts.length]!, 0.1 + (i % 5) / 10));
      const spans = [...trust(tokens, { spans: 100 }).spans].sort((a, b) => a.first - b.first);
      const marked = spans.flatMap(({ first, end }) => tokens.slice(first, end));
      const letters = (list: readonly Token[]) => list.map(({ text }) => text).join('').replaceAll(/[^\p{L}\p{N}]/gu, '');
      expect(letters(marked)).toBe(letters(tokens));
      spans.forEach(({ first, end }, i) => expect(first >= (spans[i - 1]?.end ?? 0) && end > first).toBe(true));
    }
  });
});

const smollm = join(process.env['STONECHAT_MODELS'] ?? join(homedir(), '.cache/stonechat/models'), 'SmolLM2-135M-Instruct.Q4_1.gguf');
const real = existsSync(smollm);

describe.skipIf(!real)(real ? 'SmolLM2' : `SmolLM2 (skipped: no ${smollm}: see models-real/README.md)`, () => {
  let loading: Promise<Model> | undefined;
  const model = () => (loading ??= load(smollm, { contextLength: 2048 }));
  const scored = async (...args: Parameters<Model['score']>) => {
    const tokens: Token[] = [];
    for await (const one of (await model()).score(...args)) tokens.push(one);
    return tokens;
  };

  test.each(['“Hello,” she said. It’s a café.', 'Москва — столица России, Париж — Франции.', '日本の首都は東京です。', '😀 👍🏽 👩‍👩‍👧 flags 🇫🇷', '\ufeffa mark, \ufeff another', 'a\u0000b\u200bc'])('%s: texts of tokens are the text, none is broken', async (text) => {
    const { tokenizer } = await model();
    const ids = tokenizer.encode(text);
    const tokens = await scored(text, { top: 2 });
    expect(tokens).toHaveLength(ids.length - 1);
    const first = tokenizer.stream().push(ids[0]!);
    expect(first + tokens.map((one) => one.text).join('')).toBe(text);
    expect(trustHtml(trust(tokens))).not.toContain('\ufffd');
    if (/\p{sc=Cyrl}/u.test(text)) expect(trust(tokens).spans[0]!.text).toMatch(/^[—\p{sc=Cyrl}\s,.]+$/u);
  });

  test('one token has nothing before it: refused, not NaN', async () => {
    await expect(scored('Paris')).rejects.toMatchObject({ code: 'bad-option', found: '1 token' });
    await expect(scored('Paris is', { temperature: 1 } as never)).rejects.toMatchObject({ code: 'bad-option', message: expect.stringContaining('score()') });
  });

  test('a conversation is judged to its end, without the opening of a next turn', async () => {
    const messages = [{ role: 'user', content: 'Hi' }, { role: 'assistant', content: 'Hello!' }];
    const plain = await scored(messages), open = await scored(messages, { addGenerationPrompt: true });
    expect(plain.map(({ text }) => text).join('')).toMatch(/Hello!<\|im_end\|>\n$/);
    expect(open.map(({ text }) => text).join('')).toMatch(/<\|im_start\|>assistant\n$/);
    expect(open.slice(0, plain.length)).toEqual(plain);
  });

  test('continuations are judged as the whole text is', async () => {
    const prompt = `${'The weather was fine, and the road was long. '.repeat(12)}The mood of this text is`;
    const labels = [' happy', ' sad', ' angry and loud', ' sadly'];
    const found = await judgeContinuations(await model(), prompt, labels);
    for (const [i, label] of labels.entries()) {
      const whole = (await scored(prompt + label, { top: 1 })).slice(-found[i]!.tokens.length);
      expect(found[i]!.tokens).toEqual(whole);
      expect(found[i]!.logprob).toBe(whole.reduce((sum, one) => sum + one.logprob, 0));
    }
  });

  test('continuations of a conversation open the answer', async () => {
    const messages = [{ role: 'user', content: 'Is the sky blue? Answer yes or no.' }];
    const [yes, no] = await judgeContinuations(await model(), messages, ['Yes', 'Bananas']);
    expect(yes!.logprob).toBeGreaterThan(no!.logprob);
    const open = await scored(messages, { addGenerationPrompt: true });
    const all = (await model()).tokenizer.encode('Yes', { addSpecial: false });
    expect(yes!.tokens.map(({ id }) => id)).toEqual([...all]);
    expect(open.at(-1)!.text).toContain('\n');
  });
});
