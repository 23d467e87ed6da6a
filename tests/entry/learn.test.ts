import { describe, expect, it } from 'vitest';
import { createLearner } from '../../src/entry/learn.js';
import { loadTokenizer } from '../../src/entry/node.js';
import { nodeHost } from '../../src/host/node.js';
import { learnNgrams } from '../../src/train/ngram/index.js';

const { learnTokenizer, generateNgrams } = createLearner(nodeHost());
const TEXT = 'the cat sat on the mat. the cat ate. the rat sat on the cat. ';

describe('learning on a host', () => {
  it('gives a tokenizer, and the files that read again as the same', async () => {
    const { tokenizer, files, metadata, shortfall } = await learnTokenizer(TEXT, { vocabularySize: 262 });
    expect([tokenizer.size, shortfall]).toEqual([262, undefined]);
    expect(metadata.get('tokenizer.ggml.model')).toBe('gpt2');
    const again = await loadTokenizer(new TextEncoder().encode(files['tokenizer.json']));
    expect([...again.encode('the cat sat', { addSpecial: false })]).toEqual([...tokenizer.encode('the cat sat', { addSpecial: false })]);
    expect(tokenizer.encode('the cat sat', { addSpecial: false }).length).toBeLessThan(11);
  });

  it('draws from n-grams what the counts allow, the same for the same seed', async () => {
    const model = learnNgrams([[0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 4]], { order: 3, vocabularySize: 5 });
    expect(await generateNgrams(model, [0], { temperature: 0, maxTokens: 3 })).toEqual([1, 2, 3]);
    const drawn = () => generateNgrams(model, [0], { seed: 7, maxTokens: 20 });
    expect(await drawn()).toEqual(await drawn());
  });

  it('refuses a text without words', async () => {
    await expect(learnTokenizer('', { vocabularySize: 270 })).rejects.toMatchObject({ code: 'bad-option' });
  });
});
