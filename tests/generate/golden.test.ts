import { describe, expect, test } from 'vitest';
import { createStonechat } from '../../src/entry/load.js';
import type { LoadOptions } from '../../src/generate/types.js';
import { nodeHost } from '../../src/host/node.js';
import { dataPath, hasData, readJson, titled } from '../golden/data.js';
import { collect, idsOf, textOf } from './support.js';

interface Sampled {
  prompt: string;
  seed: number;
  temperature: number;
  top_p: number;
  max_len: number;
  ids: number[];
  text: string;
}

const stonechat = createStonechat(nodeHost());
const stories = (options: LoadOptions = {}) =>
  stonechat.load(dataPath('models/llama2c/stories260K/stories260K.bin'), { tokenizer: dataPath('models/llama2c/stories260K/tok512.bin'), ...options });
const cases = hasData ? readJson<{ cases: Sampled[] }>('golden/sampling-stories260K.json').cases : [];

describe.skipIf(!hasData)(titled('seeded texts of llama2.c (stories260K), through the public options'), () => {
  test.each(cases)('"$prompt", seed $seed, temperature $temperature, top-p $top_p', async ({ prompt, seed, temperature, top_p: topP, max_len: length, ids, text }) => {
    using model = await stories();
    const encoded = model.tokenizer.encode(prompt);
    // llama2.c stops at BOS, and only there.
    const options = { temperature, topP, seed, maxTokens: length - encoded.length, ignoreEos: true, stopIds: [1] };
    const tokens = await collect(model.generate(prompt, options));
    const end = tokens.at(-1)!.finish === 'stop' ? -1 : undefined;
    expect([...encoded, ...idsOf(tokens).slice(0, end)]).toEqual(ids);
    expect(prompt + textOf(tokens)).toBe(text);
  });
});

describe.skipIf(!hasData)(titled('one model, many ways'), () => {
  const options = { temperature: 0.9, topP: 0.9, seed: 11, maxTokens: 60, hashLogits: true };
  const prompt = 'One day, Lily and her mom went to the park. '.repeat(6);

  test('the same text and the same hash of all logits for any threads, reuse and company', async () => {
    using one = await stories();
    using two = await stories({ threads: 2 });
    const alone = one.createSession().generate(prompt, options);
    const ids = idsOf(await collect(alone));
    const threaded = two.generate(prompt, options);
    expect(idsOf(await collect(threaded))).toEqual(ids);
    expect(threaded.summary.logitsHash).toBe(alone.summary.logitsHash);

    await collect(one.generate(prompt.slice(0, 100), { ...options, maxTokens: 20 }));
    const company = [one.generate(prompt, options), one.createSession().generate('Tom', options), one.createSession().generate(prompt, options)];
    const [reused, , fresh] = await Promise.all(company.map(collect));
    expect([idsOf(reused!), idsOf(fresh!)]).toEqual([ids, ids]);
    expect(company[0]!.summary.reusedTokens).toBeGreaterThan(20);
    expect(company[0]!.summary.logitsHash).toBe(alone.summary.logitsHash);
  });

  test('a sliding window goes on past the context', async () => {
    using model = await stories({ contextLength: 48 });
    const tokens = await collect(model.generate('Once upon a time', { maxTokens: 150, seed: 1, overflow: 'slide', ignoreEos: true }));
    expect(tokens).toHaveLength(150);
    await expect(collect(model.generate(prompt))).rejects.toMatchObject({ code: 'context-full' });
  });

  test('text streams as it would be decoded at once', async () => {
    using model = await stories();
    const tokens = await collect(model.generate('Lily', { maxTokens: 80, seed: 3, temperature: 1.5, ignoreEos: true }));
    expect(textOf(tokens)).toBe(model.tokenizer.decode([...model.tokenizer.encode('Lily'), ...idsOf(tokens)]).slice(4));
  });
});
