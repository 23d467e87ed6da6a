// Perplexity of real models against values recorded from another implementation.
import { describe, expect, it } from 'vitest';
import { load } from '../../src/entry/node.js';
import { perplexity } from '../../src/judge/index.js';
import { dataPath, hasData, readJson, titled } from '../golden/data.js';

interface Golden {
  perplexity: { text: string; ids: number[]; nll_sum: number }[];
}

describe.skipIf(!hasData)(titled('perplexity'), () => {
  it('is what the golden values say', async () => {
    const golden = readJson<Golden>('golden/stories260K.json').perplexity;
    using model = await load(dataPath('models/derived/stories260K/stories260K-F32.gguf'));
    for (const { text, ids, nll_sum } of golden) {
      const result = await perplexity(model, text);
      expect(result.tokens).toBe(ids.length - 1);
      expect(Math.abs(Math.log(result.perplexity) - nll_sum / result.tokens)).toBeLessThan(1e-4);
    }
  });

  it('needs no whole context: strided windows come close', async () => {
    const [{ text }] = readJson<Golden>('golden/stories260K.json').perplexity as [Golden['perplexity'][0]];
    using model = await load(dataPath('models/derived/stories260K/stories260K-F32.gguf'));
    const whole = await perplexity(model, text);
    const strided = await perplexity(model, text, { window: 64, stride: 32 });
    expect(strided.windows).toBeGreaterThan(2);
    expect(strided.tokens).toBe(whole.tokens);
    expect(Math.abs(Math.log(strided.perplexity / whole.perplexity))).toBeLessThan(0.15);
  });
});

describe.skipIf(!hasData)(titled('score'), () => {
  it('gives what generate gave, and works on several sessions at once', async () => {
    using model = await load(dataPath('models/derived/stories260K/stories260K-F32.gguf'));
    const answer = [];
    const generation = model.generate('Once upon a time', { temperature: 0, maxTokens: 80, top: 2, ignoreEos: true });
    for await (const token of generation) answer.push(token);
    const ids = [...model.tokenizer.encode('Once upon a time'), ...answer.map(({ id }) => id)];
    const read = async () => {
      const tokens = [];
      for await (const token of model.score(ids, { top: 2 })) tokens.push(token);
      return tokens;
    };
    const [one, other] = await Promise.all([read(), read()]);
    expect(other).toEqual(one);
    expect(one).toHaveLength(ids.length - 1);
    expect(one.slice(-answer.length).map(({ id, logprob, entropy, top }) => ({ id, logprob, entropy, top }))).toEqual(answer.map(({ id, logprob, entropy, top }) => ({ id, logprob, entropy, top })));
  });

  it('stops when told to, and says where a text is too long', async () => {
    using model = await load(dataPath('models/derived/stories260K/stories260K-F32.gguf'));
    const all = async (prompt: string, signal?: AbortSignal) => {
      for await (const token of model.score(prompt, { ...(signal && { signal }) })) void token;
    };
    await expect(all('Once', AbortSignal.abort())).rejects.toMatchObject({ code: 'aborted' });
    await expect(all('Once upon a time '.repeat(400))).rejects.toMatchObject({ code: 'context-full' });
  });
});
