import { beforeAll, describe, expect, it } from 'vitest';
import { createTrainer, type CompareEvent, type Comparison } from '../../../src/entry/train.js';
import { openModel } from '../../../src/files/index.js';
import { flopsPerToken } from '../../../src/graph/flops.js';
import { nodeHost } from '../../../src/host/node.js';
import { buildNetwork } from '../../../src/models/index.js';
import { countLayers } from '../../../src/models/parameters.js';
import { readNgrams } from '../../../src/train/ngram/index.js';
import { createStonechat } from '../../../src/entry/load.js';
import { flops } from '../../../src/entry/cli/compare.js';
import { comparisonSvg } from '../../../src/train/report/compare-picture.js';
import { tinyModel, tinyNplm } from '../../models/tiny.js';

const { compare } = createTrainer(nodeHost());
/** A page of words that follow each other by rules, so that there is something to learn. */
const WORDS = ['the', 'small', 'bird', 'sang', 'to', 'a', 'kind', 'old', 'fox', 'and', 'went', 'home'];
const corpus = Array.from({ length: 60 }, (_, story) => Array.from({ length: 40 }, (__, i) => WORDS[(story * 5 + i * (1 + (story % 3))) % WORDS.length]).join(' '));
const options = { steps: 25, vocabulary: 280, order: 3, sampleTokens: 12, samplePrompt: 'the', network: { embedding: 16, feedForward: 24, context: 32 }, transformer: { embedding: 32, layers: 1, heads: 2, kvHeads: 2, feedForward: 32, context: 32 } };

describe('compare', () => {
  let found: Comparison;
  const events: CompareEvent[] = [];
  beforeAll(async () => void (found = await compare(corpus, { ...options, threads: 1, onEvent: (event) => events.push(event) })), 60_000);

  it('judges three models by the same predictions', () => {
    expect(found.models.map(({ kind, title }) => [kind, title])).toEqual([['n-gram', '3-grams, Kneser-Ney'], ['network', 'nplm'], ['transformer', 'llama']]);
    expect(new Set(found.models.map(({ validation }) => validation.tokens))).toEqual(new Set([found.validationTokens]));
    const bytesOf = ({ validation: { loss, tokens, bitsPerByte } }: Comparison['models'][number]) => Math.round((loss * tokens) / Math.LN2 / bitsPerByte);
    expect(new Set(found.models.map(bytesOf)).size).toBe(1);
    // All have learnt: a guess among the vocabulary has its size as perplexity.
    for (const { validation } of found.models) expect(validation.perplexity).toBeLessThan(found.vocabulary / 2);
  });

  it('counts parameters layer by layer, and operations', () => {
    for (const { kind, parameters, layers } of found.models) {
      const single = layers.filter(([name]) => !name.startsWith('  ')).reduce((sum, [, , , size]) => sum + size, 0);
      expect(parameters, kind).toBe(single + (kind === 'n-gram' ? 1 : 0)); // one transformer block; the n-grams' backoff of the empty context
    }
    const [ngram, network, transformer] = found.models;
    expect(network!.layers).toContainEqual(['  ffn_up', 'linear', '32 x 24 + 24', 792]);
    expect(network!.flops).toBe(3 * 2 * (32 * 24 + 24 * found.vocabulary) * network!.tokens);
    const matrices = 4 * 32 * 32 + 3 * 32 * 32 + 32 * found.vocabulary;
    expect(transformer!.flops).toBe(3 * (2 * matrices + 4 * 32 * 16.5) * transformer!.tokens);
    expect(ngram!.flops).toBeGreaterThan(found.trainingTokens);
    expect(network!.tokens).toBeGreaterThan(25 * 32);
  });

  it('samples begin with the prompt; events say whose they are; files open again', async () => {
    for (const { sample, kind } of found.models) expect(sample, kind).toMatch(/^the/);
    expect(events.flatMap((event) => (event.kind === 'stage' ? [event.stage] : []))).toEqual(['vocabulary', 'n-gram']);
    expect([...new Set(events.flatMap((event) => (event.kind === 'stage' ? [] : [event.model])))]).toEqual(['network', 'transformer']);
    const [ngram, network, transformer] = await Promise.all(found.models.map((model) => model.bytes()));
    expect(readNgrams(ngram!).order).toBe(3);
    for (const [bytes, architecture] of [[network!, 'nplm'], [transformer!, 'llama']] as const) {
      using model = await createStonechat(nodeHost()).load(bytes);
      expect(model.info.architecture).toBe(architecture);
      // The network goes on for as long as it is asked to; a second answer in the same session begins where its prompt does.
      const speak = async () => {
        const spoken: string[] = [];
        for await (const { text } of model.generate('the small', { maxTokens: architecture === 'nplm' ? 90 : 20, temperature: 0, ignoreEos: true })) spoken.push(text);
        return spoken;
      };
      const first = await speak();
      expect(first).toHaveLength(architecture === 'nplm' ? 90 : 20);
      expect(await speak()).toEqual(first);
    }
    const file = await openModel(network!);
    expect(countLayers(file.tensors).map(({ name }) => name)).toEqual(['token_embd', 'blk.0.ffn_up', 'output']);
    expect(file.metadata.get('nplm.padding_token_id')).toBe(file.metadata.get('tokenizer.ggml.bos_token_id'));
  });

  it('gives the same models again, on other threads', async () => {
    const again = await compare(corpus, { ...options, threads: 2 });
    const same = ({ models }: Comparison) => models.map(({ validation, sample, parameters }) => ({ validation, sample, parameters }));
    expect(same(again)).toEqual(same(found));
  });

  it('draws quality over time', () => {
    const svg = comparisonSvg(found);
    expect(svg).toMatch(/^<svg [\s\S]*nplm: \d/);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    for (const { validation } of found.models) expect(svg).toContain(validation.bitsPerByte.toFixed(3));
  });

  it('takes a budget of seconds in place of steps', async () => {
    const { models } = await compare(corpus, { ...options, steps: undefined, seconds: 0.05, threads: 1 });
    expect(models[1]!.steps).toBeGreaterThanOrEqual(4);
  });

  it.each([
    ['steps and seconds at once', { steps: 5, seconds: 5 }, /either steps or seconds/],
    ['an order of 0', { order: 0 }, /1 to 16/],
    ['unknown options', { step: 5 }, /steps/],
    ['sizes that make no network', { network: { embedding: 12 } }, /multiple of 8/],
  ])('refuses %s', async (_, more, message) => {
    await expect(compare(corpus, { ...options, ...more })).rejects.toThrow(message);
  });

  it('refuses an empty text, and one of which nothing can be kept back', async () => {
    await expect(compare('', options)).rejects.toThrow(/with text/);
    await expect(compare('word', options)).rejects.toThrow(/kept back/);
  });
});

it('operations of a forward pass: matrices, attention over half of the context', () => {
  const { graph: gpt2 } = buildNetwork(tinyModel({ architecture: 'gpt2', embedding: 8, layers: 2, heads: 2, kvHeads: 2, feedForward: 12, vocabulary: 20, context: 16 }));
  expect(flopsPerToken(gpt2, 16)).toBe(2 * (2 * (8 * 24 + 8 * 8 + 2 * 8 * 12) + 8 * 20) + 2 * 4 * 8 * 8.5);
  expect(flopsPerToken(buildNetwork(tinyNplm({ embedding: 8, window: 3, feedForward: 5, vocabulary: 20, padding: 0 })).graph, 16)).toBe(2 * (24 * 5 + 5 * 20));
  expect([999, 1500, 2.5e12].map(flops)).toEqual(['999 FLOP', '1.50 KFLOP', '2.50 TFLOP']);
});
