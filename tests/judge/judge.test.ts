import { describe, expect, it } from 'vitest';
import type { Token } from '../../src/generate/types.js';
import { Calibrator, judgeChoices, judgeLastWords, judgePairs, perplexity, reliabilitySvg, standardError, trust, trustHtml } from '../../src/judge/index.js';
import { judgeContinuation } from '../../src/judge/reader.js';
import { toyReader } from './support.js';

describe('perplexity', () => {
  it('is the exponential of the mean surprise, every token judged once', async () => {
    const seen: number[][] = [];
    const judged: string[] = [];
    const result = await perplexity(toyReader({ seen }), 'abcdabcdabcac', { window: 6, stride: 3, onToken: ({ text }) => judged.push(text) });
    expect(judged.join('')).toBe('bcdabcdabcac');
    expect(seen).toEqual([[0, 1, 2, 3, 0, 1], [3, 0, 1, 2, 3, 0], [2, 3, 0, 1, 2, 0], [1, 2, 0, 2]]);
    const nll = -(10 * Math.log(0.7) + 2 * Math.log(0.1));
    expect(result.perplexity).toBeCloseTo(Math.exp(nll / 12), 10);
    expect(result.bitsPerByte).toBeCloseTo(nll / Math.LN2 / 12, 10);
    expect(result).toMatchObject({ tokens: 12, bytes: 12, windows: 4 });
  });

  it('judges the first token too where there is a BOS', async () => {
    const result = await perplexity(toyReader({ bos: 3 }), 'abc');
    expect(result).toMatchObject({ tokens: 3, bytes: 3, windows: 1 });
    expect(result.perplexity).toBeCloseTo(1 / 0.7, 10);
  });

  it('puts nothing in front where the tokenizer does not, or is told not to', async () => {
    const reader = toyReader({ bos: 3 });
    const own = { ...reader, tokenizer: { ...reader.tokenizer, startIds: [] } };
    expect(await perplexity(own, 'abc')).toMatchObject({ tokens: 2, bytes: 2 });
    expect(await perplexity(reader, 'abc', { addSpecial: false })).toMatchObject({ tokens: 2, bytes: 2 });
    expect(await perplexity({ ...reader, tokenizer: { ...reader.tokenizer, startIds: [3] } }, 'abc')).toMatchObject({ tokens: 3, bytes: 3 });
    expect((await judgeContinuation(own, '', 'abc')).tokens).toHaveLength(3); // a document of its own
  });

  it('never asks for more than the context, and refuses an empty text', async () => {
    const seen: number[][] = [];
    await perplexity(toyReader({ seen, bos: 3, contextLength: 5 }), 'abcdabcdabcd', { window: 100 });
    expect(Math.max(...seen.map((ids) => ids.length))).toBe(5);
    await expect(perplexity(toyReader(), '')).rejects.toMatchObject({ code: 'bad-option' });
  });
});

describe('tasks', () => {
  it('count the pairs whose good sentence is more likely', async () => {
    const score = await judgePairs(toyReader({ bos: 3 }), [{ good: 'abcd', bad: 'abca' }, { good: 'aacd', bad: 'abcd' }, { good: 'abc', bad: 'bcd' }]);
    expect(score).toEqual({ items: 3, accuracy: 2 / 3, chance: 0.5 });
    expect(standardError(score)).toBeCloseTo(Math.sqrt(2 / 9 / 3), 10);
  });

  it('choose among continuations, plainly and by the byte', async () => {
    // After "…a" (Question: … Answer: has letters c, d, a, b too; only the last letter before the choice matters): "b" beats "bc" as a whole.
    const question = { prompt: '', choices: ['d', 'cc'], answer: 1 };
    const score = await judgeChoices(toyReader({ contextLength: 64 }), [question]);
    expect(score).toEqual({ items: 1, accuracy: 0, accuracyNormalised: 0, chance: 0.5 });
    const other = await judgeChoices(toyReader({ contextLength: 64 }), [{ ...question, answer: 0 }]);
    expect(other).toMatchObject({ accuracy: 1, accuracyNormalised: 1 });
  });

  it('take the last word as right only when every token was the most likely', async () => {
    const score = await judgeLastWords(toyReader({ contextLength: 64 }), ['xa bcd', 'xa bca', 'xa acd']);
    expect(score.accuracy).toBeCloseTo(1 / 3, 10);
    expect(score.perplexity).toBeCloseTo(Math.exp(-(3 * Math.log(0.7) + 2 * Math.log(0.7) + Math.log(0.1) + Math.log(0.1) + Math.log(0.1) + Math.log(0.7)) / 3), 8);
  });

  it('refuse an empty list', async () => {
    await expect(judgePairs(toyReader(), [])).rejects.toMatchObject({ code: 'bad-option' });
  });
});

const token = (text: string, probability: number, best = probability, id = 1): Token => ({ id, text, logprob: Math.log(probability), entropy: 1, top: [{ id: 1, text: '', logprob: Math.log(best) }, { id: 2, text: '', logprob: Math.log(0.05) }] });

describe('calibration', () => {
  it('weighs the gaps between what was said and what came', () => {
    const calibrator = new Calibrator(10);
    for (let i = 0; i < 8; i++) calibrator.add(token('x', 0.85, 0.85, i < 4 ? 1 : 9));
    for (let i = 0; i < 2; i++) calibrator.add(token('x', 0.25, 0.25, 9));
    const result = calibrator.result();
    expect(result.expectedCalibrationError).toBeCloseTo(0.8 * 0.35 + 0.2 * 0.25, 10);
    expect(result).toMatchObject({ tokens: 10, accuracy: 0.4 });
    expect(result.bins[8]).toMatchObject({ count: 8, accuracy: 0.5 });
    expect(result.bins[8]!.confidence).toBeCloseTo(0.85, 10);
    expect(reliabilitySvg(result)).toMatch(/^<svg [\s\S]*expected calibration error 33\.00 %, 10 tokens[\s\S]*<\/svg>\n$/);
  });

  it('is perfect for a reader that says what it does', async () => {
    const calibrator = new Calibrator();
    const text = 'abcdabcdabbcdabcdabcdacdabcdab';
    await perplexity(toyReader({ contextLength: 64 }), text, { top: 1, onToken: calibrator.add });
    const { accuracy, expectedCalibrationError } = calibrator.result();
    expect(expectedCalibrationError).toBeCloseTo(Math.abs(accuracy - 0.7), 10);
  });
});

describe('trust', () => {
  const tokens = [token('The', 0.9), token(' king', 0.5), token(' of', 0.9), token(' Zor', 0.01), token('blax', 0.2), token(' ate', 0.02), token(' <soup>', 0.3), token('.', 0.001)];

  it('finds the least certain words, joins neighbours, leaves out punctuation alone', () => {
    expect(trust(tokens, { spans: 2 }).spans.map(({ text }) => text)).toEqual(['<soup>.', 'Zorblax']);
    // The full stop hangs on "soup", which makes that word the worst; "Zorblax" is the second.
    expect(trust(tokens, { spans: 1 }).spans[0]).toMatchObject({ text: '<soup>.', first: 6, end: 8 });
    const three = trust(tokens, { spans: 3 });
    expect(three.spans.map(({ text }) => text)).toEqual(['Zorblax ate <soup>.']);
    expect(three.tokens.map(({ span }) => span)).toEqual([0, 0, 0, 1, 1, 1, 1, 1]);
    expect(three.tokens[0]).toMatchObject({ text: 'The', margin: expect.closeTo(0.85, 10), probability: expect.closeTo(0.9, 10) });
  });

  it('knows words whose space is at their end', () => {
    const ended = [token('The ', 0.9), token('king ', 0.5), token('of ', 0.9), token('Zor', 0.01), token('blax ', 0.2), token('ate ', 0.5), token('soup', 0.3), token('.', 0.9)];
    expect(trust(ended, { spans: 1 }).spans).toMatchObject([{ text: 'Zorblax', first: 3, end: 5 }]);
  });

  it('is shown as a page, text escaped', () => {
    const html = trustHtml(trust(tokens), 'Once & <b>');
    expect(html).toContain('Once &#38; &#60;b&#62;');
    expect(html).not.toContain('<soup>');
  });

  it('takes an empty answer', () => {
    expect(trust([])).toEqual({ tokens: [], meanProbability: 1, meanEntropy: 0, spans: [] });
  });
});
