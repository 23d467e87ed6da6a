import { describe, expect, test } from 'vitest';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { collect } from '../../../src/files/chunks.js';
import { writeGguf } from '../../../src/files/gguf-writer.js';
import { openModel } from '../../../src/files/index.js';
import type { Build } from '../../../src/kernels/instance.js';
import { BYTE_LETTERS } from '../../../src/text/alphabet.js';
import { ggufTokenizer, huggingFaceFiles, SPLIT_PATTERNS, tokensOf, type ByteLevelVocabulary } from '../../../src/text/byte-level.js';
import { tokenizerFromFile, tokenizerFromModel } from '../../../src/text/index.js';
import { familyPatterns, familySplitter } from '../../../src/text/patterns.js';
import { splitText } from '../../../src/text/split.js';
import { learnBpe } from '../../../src/train/tokenizer/learn-bpe.js';
import { learnPlainly } from '../../reference/learn-bpe.js';
import { random } from '../../files/support/random.js';
import { buildsHere } from '../../kernels/support.js';
import { hasShared, kernelsOf, noShared, readSharedJson, readSharedText } from '../../text/support/shared.js';
import { randomText } from '../../text/support/random-text.js';

const modules = new Map<Build, WebAssembly.Module>();
function kernels(build: Build) {
  const file = fileURLToPath(new URL(`../../../dist/wasm/train/${build}.wasm`, import.meta.url));
  const trainModule = modules.get(build) ?? new WebAssembly.Module(readFileSync(file));
  modules.set(build, trainModule);
  return { ...kernelsOf(build), secondModule: trainModule };
}
const simd = kernels('simd');

const letters = (latin: string) => [...latin].map((char) => String.fromCharCode(BYTE_LETTERS[char.charCodeAt(0)]!)).join('');
const plain = (text: string, wanted: number, pattern: (typeof SPLIT_PATTERNS)[number] = 'gpt2', leastCount = 2) => {
  const { merges, counts } = learnPlainly(splitText(familySplitter(pattern).steps, text, true), wanted, leastCount);
  return { merges: merges.map((pair) => pair.map(letters)), counts };
};

const SAMPLE = 'the cat sat on the mat. The other cat, the fat one, sat on that hat; "that" hat was the cat\'s own hat!\n'.repeat(3);

describe('learning a byte-level BPE', () => {
  test('by hand: "aaabdaaabac"', async () => {
    // aa 4 times (2 x aa of aaab, twice); then aa+a and a+b: each twice, so the greater bytes: (aa, a); then (aaa, b)
    const { vocabulary, counts } = await learnBpe('aaabdaaabac', { vocabularySize: 256 + 3, specialTokens: [] }, simd);
    expect(vocabulary.merges).toEqual([['a', 'a'], ['aa', 'a'], ['aaa', 'b']]);
    expect(counts).toEqual([4, 2, 2]);
  });

  test.each(buildsHere())('equals counting everything anew (%s)', async (build) => {
    for (let seed = 1; seed <= 12; seed++) {
      const { next } = random(seed);
      const alphabet = 'aab c'.slice(0, 2 + (seed % 4));
      const text = Array.from({ length: 200 + seed * 40 }, () => alphabet[next(alphabet.length)]).join('');
      const { vocabulary, counts } = await learnBpe(text, { vocabularySize: 256 + 60, specialTokens: [], leastCount: 1 }, kernels(build));
      expect({ merges: vocabulary.merges, counts }).toEqual(plain(text, 60, 'gpt2', 1));
    }
  });

  test.each(SPLIT_PATTERNS)('splits words by %s, in any script', async (pattern) => {
    const text = Array.from({ length: 60 }, (_, seed) => randomText(seed + 1, 40)).join('\n') + SAMPLE;
    const { vocabulary, counts } = await learnBpe(text, { vocabularySize: 256 + 80, specialTokens: [], pattern }, simd);
    expect({ merges: vocabulary.merges, counts }).toEqual(plain(text, 80, pattern));
    expect(familyPatterns(pattern).length).toBeGreaterThan(0);
  });

  test('one word longer than the window, and more words than the first table holds', async () => {
    const long = 'ab'.repeat(200_000);
    const many = Array.from({ length: 40_000 }, (_, i) => `word${i}`.replace(/\d/g, (digit) => 'qrstuvwxyz'[Number(digit)]!)).join(' ');
    const { distinctWords, words, counts, vocabulary } = await learnBpe([long, many], { vocabularySize: 256 + 4, specialTokens: [] }, simd);
    expect([words, distinctWords]).toEqual([40_001, 40_001]);
    expect(vocabulary.merges[0]).toEqual(['a', 'b']);
    expect(counts.slice(0, 3)).toEqual([200_000, 199_999, 99_999]); // pairs that overlap count too
  });

  test('texts are counted each by itself, and cut at special tokens', async () => {
    const whole = await learnBpe('abab<s>abab', { vocabularySize: 258, specialTokens: ['<s>'] }, simd);
    const parts = await learnBpe(['abab', 'abab'], { vocabularySize: 258, specialTokens: ['<s>'] }, simd);
    expect(whole.counts).toEqual([4]);
    expect(parts).toMatchObject({ counts: [4], words: 2, distinctWords: 1 });
    const streamed = await learnBpe((async function* () { yield 'abab'; yield 'abab'; })(), { vocabularySize: 258, specialTokens: ['<s>'] }, simd);
    expect(streamed.vocabulary).toEqual(parts.vocabulary);
  });

  test('a text that runs out of pairs gives fewer tokens and says so', async () => {
    const { vocabulary, shortfall, tokenizer } = await learnBpe('ab ab', { vocabularySize: 400 }, simd);
    expect(vocabulary.merges).toEqual([['a', 'b']]);
    expect(tokenizer.size).toBe(258);
    expect(shortfall).toMatch(/258 of 400/);
    expect((await learnBpe(SAMPLE, { vocabularySize: 270 }, simd)).shortfall).toBeUndefined();
  });

  test.each([
    ['no text', '', {}, /text to learn from/],
    ['no texts', [], {}, /text to learn from/],
    ['only special tokens', '<|endoftext|>', {}, /text to learn from/],
    ['no string', [Uint8Array.of(1)] as unknown as string[], {}, /texts as strings/],
    ['a small vocabulary', 'text', { vocabularySize: 256 }, /a vocabulary of 257/],
    ['a broken vocabulary', 'text', { vocabularySize: Number.NaN }, /a vocabulary of 257/],
    ['equal special tokens', 'text', { specialTokens: ['<s>', '<s>'] }, /special tokens as different/],
    ['an empty special token', 'text', { specialTokens: [''] }, /special tokens as different/],
    ['a special token like a byte', 'text', { specialTokens: ['a'] }, /mistaken/],
    ['a special token like a learnt one', 'text', { specialTokens: ['Ġthe'] }, /mistaken/],
    ['an unknown pattern', 'text', { pattern: 'toString' as 'gpt2' }, /a pattern of gpt2/],
    ['an unknown role', 'text', { bos: '<s>' }, /bos and eos among/],
    ['a count of none', 'text', { leastCount: 0 }, /leastCount/],
  ])('refuses %s', async (_, text, options, message) => {
    const learning = learnBpe(text, { vocabularySize: 300, ...options }, simd);
    await expect(learning).rejects.toMatchObject({ name: 'StonechatError', code: 'bad-option', message: expect.stringMatching(message) });
  });
});

/** The same vocabulary read back from tokenizer.json with its config, and from GGUF metadata. */
async function readBack(vocabulary: ByteLevelVocabulary) {
  const files = Object.entries(huggingFaceFiles(vocabulary)).map(([name, text]) => [name, new TextEncoder().encode(text)] as const);
  const json = Object.fromEntries(files);
  const metadata = new Map([['general.architecture', 'llama'], ...ggufTokenizer(vocabulary)]);
  const file = await openModel(await collect(writeGguf({ metadata, tensors: [] })));
  return [await tokenizerFromFile('tokenizer.json', json['tokenizer.json']!, simd, async (name) => json[name]), await tokenizerFromModel(file, simd)];
}

describe('a learnt vocabulary', () => {
  test.each(SPLIT_PATTERNS)('is read back to the same ids from tokenizer.json and GGUF (%s)', async (pattern) => {
    const { vocabulary, tokenizer } = await learnBpe(SAMPLE, { vocabularySize: 280, specialTokens: ['<|bos|>', '<|eos|>'], pattern }, simd);
    for (const read of await readBack(vocabulary)) {
      expect([read.size, read.bos, read.eos, [...read.stopIds]]).toEqual([280, 0, 1, [1]]);
      expect(tokensOf(vocabulary).map((token) => read.id(token))).toEqual(tokensOf(vocabulary).map((_, id) => id));
      for (let seed = 1; seed <= 40; seed++) {
        const text = seed % 2 ? randomText(seed, 60) : SAMPLE.slice(seed, seed * 5);
        const ids = read.encode(`${text}<|eos|>`, { parseSpecial: true });
        expect(ids).toEqual(tokenizer.encode(`${text}<|eos|>`, { parseSpecial: true }));
        expect([ids[0], ids.at(-1)]).toEqual([0, 1]);
        expect(read.decode(ids)).toBe(text);
      }
    }
  });

  test('without special tokens, and without BOS in front', async () => {
    for (const options of [{ specialTokens: [] }, { addBos: false }]) {
      const { vocabulary, tokenizer } = await learnBpe(SAMPLE, { vocabularySize: 300, ...options }, simd);
      for (const read of [tokenizer, ...(await readBack(vocabulary))]) {
        expect(read.bos).toBe(options.specialTokens ? undefined : 0);
        expect(read.decode(read.encode('the cat')).length).toBe(7);
        expect(read.encode('the cat')[0]).not.toBe(0);
      }
    }
  });
});

describe.skipIf(!hasShared)(`golden vocabularies${hasShared ? '' : ` (${noShared})`}`, () => {
  const folder = 'tokenizers/bpe-train/';

  test('CS336: corpus.en, 500 tokens, exactly', async () => {
    const merges = readSharedText(`${folder}cs336/train-bpe-reference-merges.txt`).trimEnd().split('\n');
    const ids = readSharedJson<Record<string, number>>(`${folder}cs336/train-bpe-reference-vocab.json`);
    const { vocabulary, tokenizer } = await learnBpe(readSharedText(`${folder}cs336/corpus.en`), { vocabularySize: 500 }, simd);
    expect(vocabulary.merges.map((pair) => pair.join(' '))).toEqual(merges);
    expect(Object.fromEntries(tokensOf(vocabulary).map((token, id) => [token, id]))).toEqual(ids);
    for (const name of ['address.txt', 'german.txt', 'tinystories_sample.txt']) {
      const text = readSharedText(`${folder}cs336/${name}`);
      expect(tokenizer.decode(tokenizer.encode(text, { parseSpecial: true }), { special: true }).replace(/^<\|endoftext\|>/, '')).toBe(text);
    }
  });

  test('minbpe\'s text: as the plain reference', async () => {
    const text = readSharedText(`${folder}minbpe_taylorswift.txt`);
    const { vocabulary, counts } = await learnBpe(text, { vocabularySize: 384, specialTokens: [], pattern: 'llama3' }, simd);
    expect({ merges: vocabulary.merges, counts }).toEqual(plain(text, 128, 'llama3'));
  });
});
