// The parts of training that need no kernels: documents, batches, splits, settings, rates, pictures.
import { describe, expect, it } from 'vitest';
import { batchesOf, BatchStream, type Batch, type Documents, pairCount } from '../../src/train/data/batches.js';
import { autoConfig, checkConfig } from '../../src/train/pretraining/config.js';
import { cutLong, fingerprint, readCorpus, splitDocuments, splitValidation, streamDocuments } from '../../src/train/data/corpus.js';
import type { History } from '../../src/train/loop/loop.js';
import { rateAt } from '../../src/train/loop/optimizer.js';
import { Random } from '../../src/train/data/random.js';
import { lossSvg } from '../../src/train/report/report.js';
import { settle } from '../../src/train/pretraining/settings.js';

const documentsOf = (...texts: number[][]): Documents => {
  let end = 0;
  return { ids: Int32Array.from(texts.flat()), ends: Int32Array.from(texts, ({ length }) => (end += length)) };
};
const seeded = (count: number, seed: number): Documents => {
  const random = new Random(seed);
  return documentsOf(...Array.from({ length: count }, (_, i) => [0, ...Array.from({ length: random.below(40) }, (_, j) => 1 + i * 100 + j), 0]));
};
/** Every prediction of a batch, as `token>next`. */
const predictions = ({ ids, targets }: Batch): string[] => [...ids].flatMap((id, row) => (targets[row]! < 0 ? [] : [`${id}>${targets[row]}`]));
const predictionsOf = ({ ids, ends }: Documents): string[] =>
  [...ends].flatMap((end, i) => [...ids.subarray(i ? ends[i - 1] : 0, end - 1)].map((id, j) => `${id}>${ids[(i ? ends[i - 1]! : 0) + j + 1]}`));

describe('the stream of batches', () => {
  const shape = { sequences: 3, length: 8 };

  it('gives every prediction of the corpus once an epoch, in another order each time', () => {
    const documents = seeded(23, 5);
    const stream = new BatchStream(documents, shape, 9);
    const all: string[] = [];
    while (stream.cursor.epoch < 2) all.push(...predictions(stream.next()));
    const count = pairCount(documents);
    const [first, second] = [all.slice(0, count), all.slice(count, 2 * count)];
    expect(first.toSorted()).toEqual(predictionsOf(documents).toSorted());
    expect(second.toSorted()).toEqual(first.toSorted());
    expect(second).not.toEqual(first);
  });

  it('lets no document see another, and begins its positions anew', () => {
    const stream = new BatchStream(seeded(23, 6), shape, 1);
    for (let i = 0; i < 10; i++) {
      const { ids, positions, spans, count } = stream.next();
      expect(count).toBe(24);
      for (let row = 0; row < 24; row++) {
        const start = spans.findLast((first) => first <= row)!;
        expect(Math.floor(start / 8)).toBe(Math.floor(row / 8));
        expect(positions[row]).toBe(row - start);
        if (row > start) expect([0, ids[row - 1]! + 1]).toContain(ids[row - 1] === 0 ? 0 : ids[row]);
        if (ids[row] === 0) expect(start, 'a document begins').toBe(row);
      }
    }
  });

  it('goes on from its cursor as if it had never stopped', () => {
    const documents = seeded(11, 7);
    const whole = new BatchStream(documents, shape, 2);
    for (let i = 0; i < 30; i++) {
      const resumed = new BatchStream(documents, shape, 2, JSON.parse(JSON.stringify(whole.cursor)) as typeof whole.cursor);
      expect(resumed.next()).toEqual(whole.next());
    }
  });

  it('in order, for evaluation, ends with a batch of the rows that are left', () => {
    const documents = seeded(9, 8);
    const batches = [...batchesOf(documents, shape)];
    expect(batches.flatMap(predictions)).toEqual(predictionsOf(documents));
    expect(batches.reduce((sum, { count }) => sum + count, 0)).toBe(pairCount(documents));
    expect(batches.map(({ ids, count }) => ids.length - count).every((rest) => rest === 0)).toBe(true);
    expect([...batchesOf(documents, shape, 2)]).toEqual(batches.slice(0, 2));
  });
});

describe('a corpus', () => {
  it('is split where separators stand, without the line ends around', async () => {
    expect(splitDocuments('\na b\n<|endoftext|>\n\n  c\n<|endoftext|>\n')).toEqual(['a b', '  c']);
    expect(splitDocuments('a\nb\n', '\n')).toEqual(['a', 'b']);
    expect(splitDocuments('a <|endoftext|> b', '')).toEqual(['a <|endoftext|> b']);
    async function* slowly() {
      yield 'a<|endoftext|>b';
      yield 'c';
    }
    expect(await readCorpus(slowly(), '<|endoftext|>')).toEqual(['a', 'b', 'c']);
  });

  it('keeps a seeded share of the documents back, of a single one its end', () => {
    const texts = Array.from({ length: 40 }, (_, i) => `document ${i}`);
    const { training, validation } = splitValidation(texts, 0.1, 3);
    expect(validation).toHaveLength(4);
    expect([...training, ...validation].toSorted()).toEqual(texts.toSorted());
    expect(splitValidation(texts, 0.1, 3).validation).toEqual(validation);
    expect(splitValidation(texts, 0.1, 4).validation).not.toEqual(validation);
    expect(splitValidation(['one two\nthree four\nfive six'], 0.2, 0)).toEqual({ training: ['one two\nthree four'], validation: ['five six'] });
    expect(splitValidation(['one two three four'], 0.3, 0)).toEqual({ training: ['one two'], validation: ['three four'] });
    expect(splitValidation(['word'], 0.3, 0)).toEqual({ training: ['word'], validation: [] });
    expect(splitValidation(texts, 0, 0).validation).toEqual([]);
  });

  it.each([1, 2, 3, 7, 100])('cut into parts of %i predictions has the same ones', (most) => {
    const documents = seeded(9, 4);
    const parts = cutLong(documents, most);
    expect(predictionsOf(parts)).toEqual(predictionsOf(documents));
    const sizes = [...parts.ends].map((end, i) => end - (i ? parts.ends[i - 1]! : 0) - 1);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(most);
    expect(Math.min(...sizes)).toBeGreaterThan(0);
  });

  it('is told from another by its ids and by where its documents end', () => {
    const prints = [documentsOf([1, 2, 3, 4]), documentsOf([1, 2], [3, 4]), documentsOf([1, 2, 4, 3])].map(fingerprint);
    expect(new Set(prints).size).toBe(3);
  });
});

describe('settings', () => {
  it.each([600, 3_000, 30_000, 300_000, 3_000_000, 30_000_000, 300_000_000])('suit a corpus of %i tokens', (tokens) => {
    const settings = settle({}, tokens, 512);
    const { config, steps, batch, microBatch, warmup, evaluateEvery, learningRate, finalRate } = settings;
    expect(() => checkConfig(config)).not.toThrow();
    expect(batch * config.context, 'a batch').toBeLessThanOrEqual(Math.max(config.context, tokens / 8));
    expect(batch % microBatch).toBe(0);
    expect(steps * batch * config.context, 'all of it is seen').toBeGreaterThanOrEqual(tokens);
    expect(warmup).toBeLessThan(Math.max(2, steps / 2));
    expect(evaluateEvery).toBeLessThanOrEqual(steps);
    expect(finalRate).toBeLessThan(learningRate);
  });

  it('grow with the corpus, and leave what the caller has settled', () => {
    const embeddings = [1e4, 1e5, 5e5, 2e6, 1e7, 1e8].map((tokens) => autoConfig(tokens, { vocabulary: 512 }).embedding);
    expect(embeddings).toEqual(embeddings.toSorted((a, b) => a - b));
    expect(new Set(embeddings).size).toBe(embeddings.length);
    const settings = settle({ config: { layers: 9, context: 32 }, steps: 17, batch: 6, learningRate: 0.5, dropout: 0.3, seed: 4 }, 1e5, 700);
    expect(settings).toMatchObject({ steps: 17, batch: 6, learningRate: 0.5, finalRate: 0.05, dropout: 0.3, seed: 4, config: { layers: 9, context: 32, vocabulary: 700 } });
  });

  it('raise the rate from nothing, then lower it along half a cosine', () => {
    const settings = { learningRate: 1, finalRate: 0.1, warmup: 10, steps: 110, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 };
    expect(rateAt(1, settings)).toBeCloseTo(0.1);
    expect(rateAt(10, settings)).toBe(1);
    expect(rateAt(60, settings)).toBeCloseTo(0.55);
    expect(rateAt(110, settings)).toBeCloseTo(0.1);
    for (let step = 11; step < 110; step++) expect(rateAt(step + 1, settings)).toBeLessThan(rateAt(step, settings));
  });
});

describe('the picture of a run', () => {
  const history = (steps: number): History => ({
    training: Array.from({ length: steps }, (_, i) => 8 / (1 + i / 50)),
    validation: [0, steps].map((step) => ({ step, loss: 8 / (1 + step / 50), perplexity: 1, bitsPerByte: 1, tokens: 1 })),
    samples: [],
  });

  it.each([0, 1, 2, 50, 5000])('of %i steps stays in its frame and small', (steps) => {
    const svg = lossSvg(history(steps));
    const numbers = [...svg.matchAll(/[ML](-?[\d.]+) (-?[\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)] as const);
    expect(numbers.length).toBeGreaterThanOrEqual(2);
    for (const [x, y] of numbers) {
      expect(x).toBeGreaterThanOrEqual(52);
      expect(x).toBeLessThanOrEqual(704);
      expect(y).toBeGreaterThanOrEqual(28);
      expect(y).toBeLessThanOrEqual(320);
    }
    expect(svg).not.toContain('NaN');
    expect(svg.length).toBeLessThan(12_000);
  });
});

describe('documents that come in pieces', () => {
  const collect = async (pieces: readonly string[], separator?: string, longest?: number) => {
    const documents: string[] = [];
    for await (const document of streamDocuments(pieces, separator, longest)) documents.push(document);
    return documents;
  };
  const cut = (text: string, random: Random) => {
    const pieces: string[] = [];
    for (let at = 0; at < text.length; ) pieces.push(text.slice(at, (at += 1 + random.below(7))));
    return pieces;
  };

  it('are those of the whole text, wherever it is cut', async () => {
    const random = new Random(4);
    for (const separator of [undefined, '\n\n', '<|endoftext|>', 'aa', '', 'x']) {
      for (let round = 0; round < 60; round++) {
        const text = Array.from({ length: 40 }, () => ['a', 'x', '\n', ' ', '<|endoftext|>', '<|end', 'é'][random.below(7)]).join('');
        expect(await collect(cut(text, random), separator), JSON.stringify(text)).toEqual(splitDocuments(text, separator));
      }
    }
  });

  it('are cut at lines where they are longer than a text can be', async () => {
    const lines = Array.from({ length: 200 }, (_, i) => `line ${i}`).join('\n');
    const documents = await collect(cut(lines, new Random(1)), undefined, 100);
    expect(documents.length).toBeGreaterThan(10);
    expect(documents.join('\n')).toBe(lines);
    expect(Math.max(...documents.map(({ length }) => length))).toBeLessThan(130);
  });
});
