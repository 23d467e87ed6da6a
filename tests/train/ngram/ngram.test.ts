import { describe, expect, test } from 'vitest';
import { collect } from '../../../src/files/chunks.js';
import { instantiateKernels } from '../../../src/kernels/instance.js';
import { generateNgrams, learnNgrams, NgramModel, readNgrams, writeNgrams } from '../../../src/train/ngram/index.js';
import { plainNgrams } from '../../reference/ngram.js';
import { random } from '../../files/support/random.js';
import { buildsHere } from '../../kernels/support.js';
import { kernelsOf } from '../../text/support/shared.js';

/** Sequences with habits, so that all lengths repeat: each token follows from the two before it, with some noise. */
function sequences(seed: number, count: number, vocabulary: number): number[][] {
  const { next } = random(seed);
  return Array.from({ length: count }, () => {
    const out = [0];
    for (let i = next(30); i >= 0; i--) out.push(next(4) ? (out.at(-1)! * 3 + (out.at(-2) ?? 0) + 1) % vocabulary : next(vocabulary));
    return out;
  });
}
const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);
const instance = () => { const { module, build } = kernelsOf('simd'); return instantiateKernels(module, build); };
const bytesOf = async (model: NgramModel) => collect((async function* () { yield* writeNgrams(model); })());

describe('an n-gram model', () => {
  test('by hand: bigrams of 0 1 2 1 2 1 3', () => {
    // Too small to tell discounts: 0.5, 1, 1.5. Tokens before 1: {0, 2}, before 2 and 3: {1}; 0 only begins.
    //   backoff() = (1 + 0.5 + 0.5) / 4 = 0.5; p(1) = (2 - 1) / 4 + 0.5 / 4 = 0.375; p(2) = p(3) = 0.5 / 4 + 0.125 = 0.25; p(0) = 0.125
    // Behind 1: 2 twice, 3 once. backoff(1) = (1 + 0.5) / 3 = 0.5; p(2 | 1) = (2 - 1) / 3 + 0.5 * 0.25
    const model = learnNgrams([[0, 1, 2, 1, 2, 1, 3]], { order: 2, vocabularySize: 4 });
    expect(model.sizes).toEqual([4, 4]);
    expect(model.content.backoff).toBe(0.5);
    [0.125, 0.375, 0.25, 0.25].forEach((expected, token) => expect(model.probability([], token)).toBeCloseTo(expected, 7));
    [0.0625, 0.1875, 1 / 3 + 0.125, 0.5 / 3 + 0.125].forEach((expected, token) => expect(model.probability([1], token)).toBeCloseTo(expected, 7));
    expect(model.probability([3], 1)).toBeCloseTo(0.375, 7); // nothing follows 3
    const { nats, tokens } = model.score([0, 1, 2]);
    expect(tokens).toBe(2);
    expect(nats).toBeCloseTo(-Math.log(model.probability([0], 1) * model.probability([1], 2)), 12);
  });

  test.each([1, 2, 3, 4, 5])('of order %i equals the definition', (order) => {
    for (const seed of [1, 2, 3]) {
      const texts = sequences(seed, 4 + seed * 30, 11);
      const model = learnNgrams(texts, { order, vocabularySize: 12 });
      const plain = plainNgrams(texts, order, 12);
      const contexts = [[], [0], [11], [0, 1], [5, 11, 3], ...sequences(seed + 100, 6, 11), ...texts.slice(0, 8), ...texts.map((text) => text.slice(2, 7)).slice(0, 8)];
      for (const context of contexts) {
        const expected = Array.from({ length: 12 }, (_, token) => plain(context, token));
        const [row, single] = [model.distribution(context), expected.map((_, token) => model.probability(context, token))];
        expected.forEach((probability, token) => {
          if (Math.abs(row[token]! / probability - 1) > 1e-6) expect({ context, token, probability: row[token] }).toEqual({ context, token, probability });
          if (Math.abs(single[token]! / probability - 1) > 1e-6) expect({ context, token, probability: single[token] }).toEqual({ context, token, probability });
        });
        expect(sum(expected)).toBeCloseTo(1, 10);
        expect(sum(row)).toBeCloseTo(1, 6);
      }
    }
  });

  test('estimates its discounts where counts allow', () => {
    const { discounts } = learnNgrams(sequences(7, 400, 40), { order: 3, vocabularySize: 40 }).content;
    expect(discounts[2]).not.toEqual([0, 0.5, 1, 1.5]);
    for (const list of discounts) list.forEach((discount, count) => expect(discount).toBeLessThanOrEqual(count));
  });

  test('does not look across sequences, and longer ones fit better', () => {
    const apart = learnNgrams([[0, 1], [0, 2], [0, 1]], { order: 3, vocabularySize: 3 });
    expect(apart.sizes).toEqual([3, 2, 0]);
    const [texts, held] = [sequences(5, 600, 30), sequences(6, 60, 30)];
    const nats = [1, 2, 3].map((order) => sum(held.map((text) => learnNgrams(texts, { order, vocabularySize: 30 }).score(text).nats)));
    expect(nats[1]!).toBeLessThan(nats[0]!);
    expect(nats[2]!).toBeLessThan(nats[1]! * 0.8); // two tokens decide the next
  });

  test('generates the same ids from the same seed on every build', () => {
    const model = learnNgrams(sequences(3, 200, 20), { order: 4, vocabularySize: 20 });
    const texts = buildsHere().map((build) => {
      const { module } = kernelsOf(build);
      return [1, 2].map((seed) => generateNgrams(model, instantiateKernels(module, build), [0], { seed, maxTokens: 40, temperature: 0.7 }));
    });
    for (const text of texts) expect(text).toEqual(texts[0]);
    expect(texts[0]![0]).not.toEqual(texts[0]![1]);
    expect(texts[0]![0]).toHaveLength(40);
  });

  test('greedily takes the likeliest, and draws as often as probable', () => {
    const model = learnNgrams([[0, 1, 2, 1, 2, 1, 3]], { order: 2, vocabularySize: 4 });
    expect(generateNgrams(model, instance(), [0], { temperature: 0, maxTokens: 5 })).toEqual([1, 2, 1, 2, 1]);
    expect(generateNgrams(model, instance(), [0], { temperature: 0, maxTokens: 5, stopIds: [2] })).toEqual([1]);
    const ids = generateNgrams(model, instance(), [1], { maxTokens: 8000, seed: 9 });
    const behind = ids.filter((_, i) => (i ? ids[i - 1] : 1) === 1);
    expect(behind.filter((id) => id === 2).length / behind.length).toBeCloseTo(model.probability([1], 2), 1);
  });

  test.each([
    ['order 0', [[0, 1]], { order: 0, vocabularySize: 4 }, /an order of 1 to/],
    ['no vocabulary', [[0, 1]], { vocabularySize: 0 }, /size of the vocabulary/],
    ['nothing to predict', [[0], []], { vocabularySize: 4 }, /at least two tokens/],
    ['ids beyond the vocabulary', [[0, 4]], { vocabularySize: 4 }, /token ids from 0 to 3/],
    ['broken ids', [[0, Number.NaN]], { vocabularySize: 4 }, /token ids from 0 to 3/],
  ])('refuses %s', (_, texts, options, message) => {
    expect(() => learnNgrams(texts, options)).toThrow(expect.objectContaining({ name: 'StonechatError', code: 'bad-option', message: expect.stringMatching(message) }));
  });

  test('refuses ids it does not know', () => {
    const model = learnNgrams([[0, 1]], { vocabularySize: 2 });
    expect(() => model.probability([0], 2)).toThrow(/token id from 0 to 1/);
    expect(() => generateNgrams(model, instance(), [0], { maxTokens: -1 })).toThrow(/maxTokens/);
    expect(() => generateNgrams(model, instance(), [0], { seed: 0.5 })).toThrow(/seed/);
    expect(model.probability([99, -1], 1)).toBe(model.probability([], 1));
  });
});

describe('its file', () => {
  test.each([12, 70_000])('reads back as it was (vocabulary of %i)', async (vocabularySize) => {
    const model = learnNgrams(sequences(4, 80, 11), { order: 4, vocabularySize });
    expect(readNgrams(await bytesOf(model)).content).toEqual(model.content);
    const last = learnNgrams([[0, 1]], { order: 1, vocabularySize });
    expect(readNgrams(await bytesOf(last)).content).toEqual(last.content);
  });

  test('is refused when it is cut or damaged, or works', async () => {
    const bytes = await bytesOf(learnNgrams(sequences(4, 40, 11), { order: 3, vocabularySize: 12 }));
    expect(() => readNgrams(new Uint8Array(3))).toThrow(/SCNGRAM1/);
    expect(() => readNgrams(bytes.slice(0, -4))).toThrow(expect.objectContaining({ code: 'truncated' }));
    expect(() => readNgrams(Uint8Array.from([...bytes, 0, 0, 0, 0]))).toThrow(/4 bytes more/);
    const { next } = random(8);
    let refused = 0;
    for (let round = 0; round < 1500; round++) {
      const damaged = bytes.slice(0, round % 5 ? bytes.length : next(bytes.length));
      for (let i = next(4); i >= 0; i--) damaged[next(round % 2 ? 120 : damaged.length)] = next(256);
      try {
        expect(sum(readNgrams(damaged).distribution([0, 1, 2]))).toBeGreaterThan(0);
      } catch (error) {
        expect(error).toMatchObject({ name: 'StonechatError' });
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(500);
  });
});

describe('bytes of n-gram files', () => {
  const model = learnNgrams([[1, 2, 3, 4, 1, 2, 4, 4, 3], [2, 3, 1, 1, 2, 3, 4]], { order: 3, vocabularySize: 5 });

  test('are taken in any form, at any offset', async () => {
    const bytes = await bytesOf(model);
    const odd = Buffer.concat([Buffer.from('odd'), bytes]).subarray(3);
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    for (const input of [bytes, Buffer.from(bytes), odd, bytes.buffer, new DataView(bytes.buffer), shared, shared.buffer, new Uint16Array(bytes.buffer.slice(0, bytes.length & ~1))]) {
      const view = input instanceof Uint16Array && bytes.length % 2 ? bytes : input;
      expect(readNgrams(view).content).toEqual(model.content);
    }
  });

  test('are none of what is no bytes', () => {
    for (const input of [undefined, null, 'SCNGRAM1', 3, [1, 2], {}, new Blob([])]) expect(() => readNgrams(input as never)).toThrow(expect.objectContaining({ name: 'StonechatError', code: 'bad-option' }));
  });

  test('carry a tokenizer, and keep it', async () => {
    const tokenizer = Uint8Array.of(1, 2, 3, 4, 5);
    const bytes = await bytesOf(new NgramModel({ ...model.content, tokenizer }));
    const again = readNgrams(bytes);
    expect(again.content).toEqual({ ...model.content, tokenizer });
    expect(await bytesOf(again)).toEqual(bytes);
  });

  test('are refused wherever one is changed', async () => {
    const bytes = await bytesOf(model);
    let read = 0;
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice();
      damaged[at]! ^= 1 << at % 8;
      try {
        expect(readNgrams(damaged).content, `byte ${at}`).toEqual(model.content); // padding
        read++;
      } catch (error) {
        expect(error, `byte ${at}`).toMatchObject({ name: 'StonechatError' });
      }
    }
    expect(read).toBeLessThan(8);
  });

  test('of earlier versions, without a checksum, are checked as far as lookups rely on them', async () => {
    const text = Buffer.from(await bytesOf(model)).toString('latin1');
    const json = /\{.*?\} */.exec(text)![0];
    const head = JSON.parse(json) as Record<string, unknown>;
    const file = (changes: Record<string, unknown>) => {
      const written = JSON.stringify({ ...head, checksum: undefined, ...changes });
      const padded = written.padEnd(Math.ceil((written.length + 12) / 8) * 8 - 12);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(padded.length);
      return Buffer.from(text.slice(0, 8) + length.toString('latin1') + padded + text.slice(12 + json.length), 'latin1');
    };
    expect(readNgrams(file({})).content).toEqual(model.content);
    const { discounts } = model.content;
    for (const changes of [{ order: 0 }, { order: 17 }, { order: 2 }, { vocabulary: 0 }, { vocabulary: 4 }, { backoff: 0 }, { backoff: 'x' }, { discounts: [] }, { discounts: [[0, 1], ...discounts.slice(1)] }, { discounts: [[0, -1, 1, 1], ...discounts.slice(1)] }, { sizes: [5, 5, 2 ** 30] }, { tokenizer: 99 }]) {
      expect(() => readNgrams(file(changes)), JSON.stringify(changes)).toThrow(expect.objectContaining({ name: 'StonechatError' }));
    }
  });
});
