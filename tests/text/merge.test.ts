import { describe, expect, test } from 'vitest';
import { BYTE_LETTERS, bytesToLetters } from '../../src/text/alphabet.js';
import { StringList } from '../../src/files/strings.js';
import { createTokenizer } from '../../src/text/index.js';
import { TOKEN, type MergeModel, type TokenizerSpec } from '../../src/text/spec.js';
import { AT_SPACES, SCAN, WHOLE } from '../../src/text/split.js';
import { byList, byToken, mergeAll } from '../reference/merge.js';
import { random } from '../files/support/random.js';
import { buildsHere } from '../kernels/support.js';
import { kernelsOf } from './support/shared.js';

const FUZZ = Number(process.env.STONECHAT_FUZZ ?? 16);
const utf8 = new TextEncoder();
const builds = buildsHere();

function specOf(tokens: readonly string[], model: Partial<MergeModel>, more: Partial<TokenizerSpec> = {}): TokenizerSpec {
  return {
    kind: 'bpe', tokens: StringList.from(tokens), types: Uint8Array.from(tokens, (token) => (/^<0x..>$/.test(token) ? TOKEN.byte : TOKEN.normal)), added: [], normalise: [], prefix: { when: 'never' }, split: WHOLE,
    model: { model: 'merge', symbols: 'bytes', writing: 'alphabet', ignoreMerges: false, fuseUnknown: false, ...model },
    before: [], after: [], dropLeadingSpace: false, ...more,
  };
}

/** A vocabulary of all bytes and `count` merges of pairs of earlier tokens over a small alphabet. */
function randomMerges(seed: number, count: number): { tokens: string[]; merges: [string, string][] } {
  const { pick } = random(seed);
  const tokens = BYTE_LETTERS.map((letter) => String.fromCharCode(letter));
  const usable = [...'abcĠ'];
  const merges: [string, string][] = [];
  while (merges.length < count) {
    const pair: [string, string] = [pick(usable), pick(usable)];
    if (merges.some(([left, right]) => left === pair[0] && right === pair[1])) continue;
    merges.push(pair);
    const product = pair.join('');
    if (!tokens.includes(product)) tokens.push(product);
    if (!usable.includes(product)) usable.push(product);
  }
  return { tokens, merges };
}

function randomWord(seed: number, length: number, alphabet: string): string {
  const { next } = random(seed);
  return Array.from({ length }, () => alphabet[next(alphabet.length)]).join('');
}

describe('merging equals the plain reference', () => {
  test.each(builds)('a list of merges over bytes (%s)', (build) => {
    for (let seed = 1; seed <= FUZZ; seed++) {
      const { tokens, merges } = randomMerges(seed, 3 + (seed % 40));
      const given = seed % 2 ? merges : StringList.from(merges.map((pair) => pair.join(' ')));
      const tokenizer = createTokenizer(specOf(tokens, { merges: given }), kernelsOf(build));
      const rules = byList(merges);
      for (const length of [0, 1, 2, 7, 39, 40, 41, 42, 150]) {
        const text = randomWord(seed * 31 + length, length, 'abc ');
        const expected = mergeAll([...bytesToLetters(utf8.encode(text))], rules).map((token) => tokens.indexOf(token));
        const found = [...tokenizer.encode(text)];
        if (String(found) !== String(expected)) expect({ seed, text, found }).toEqual({ seed, text, found: expected });
        if (tokenizer.decode(found) !== text) expect(tokenizer.decode(found)).toBe(text);
      }
    }
  });

  test.each(builds)('scores over characters, with byte fallback (%s)', (build) => {
    for (let seed = 1; seed <= FUZZ; seed++) {
      const { next, pick } = random(seed);
      const alphabet = ['a', 'b', 'ü', '日', '🙂', '▁'];
      const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
      const words = new Set(alphabet.slice(0, 3 + next(4)));
      for (let i = 0; i < 30; i++) words.add(Array.from({ length: 1 + next(4) }, () => pick(alphabet)).join(''));
      const tokens = [...bytes, ...words];
      const ranks = Uint32Array.from(tokens, () => next(12));
      const known = new Map([...words].map((word) => [word, ranks[tokens.indexOf(word)]!]));
      const scores = Float32Array.from(ranks, (rank) => (rank === 6 ? (next(2) ? 0 : -0) : 6 - rank));
      const tokenizer = createTokenizer(specOf(tokens, { symbols: 'characters', writing: 'marked', scores }, { split: seed % 2 ? WHOLE : AT_SPACES }), kernelsOf(build));
      for (const length of [1, 5, 39, 60, 90]) {
        const text = Array.from({ length }, () => pick(alphabet)).join('');
        const expected = mergeAll([...text], byToken(known)).flatMap((piece) => (words.has(piece) ? [tokens.indexOf(piece)] : Array.from(utf8.encode(piece))));
        const found = [...tokenizer.encode(text)];
        if (String(found) !== String(expected)) expect({ seed, text, found }).toEqual({ seed, text, found: expected });
      }
    }
  });

  test('words met again, long and short, through a cache that overflows', () => {
    const { tokens, merges } = randomMerges(5, 30);
    const spec = specOf(tokens, { merges }, { split: AT_SPACES });
    const tokenizer = createTokenizer(spec, kernelsOf('simd'));
    const rules = byList(merges);
    const expected = (word: string) => mergeAll([...bytesToLetters(utf8.encode(word))], rules).map((token) => tokens.indexOf(token));
    const words = Array.from({ length: 400 }, (_, i) => ` ${randomWord(i + 1, 1 + (i % 60), 'abc')}`);
    const filler = Array.from({ length: 40_000 }, (_, i) => ` ${i.toString(36)}${'x'.repeat(i % 30)}`).join('');
    const ids = words.flatMap(expected);
    for (let round = 0; round < 2; round++) {
      expect([...tokenizer.encode(words.join(''))]).toEqual(ids);
      tokenizer.encode(filler);
    }
  });
});

describe('hard cases', () => {
  const { tokens, merges } = randomMerges(3, 40);
  const doubling: [string, string][] = Array.from({ length: 12 }, (_, i) => ['a'.repeat(2 ** i), 'a'.repeat(2 ** i)]);
  const letters = [...tokens.slice(0, 256), ...doubling.map((pair) => pair.join(''))];

  test('a million times one letter takes n log n steps', () => {
    const tokenizer = createTokenizer(specOf(letters, { merges: doubling }), kernelsOf('simd'));
    const ids = tokenizer.encode('a'.repeat(1_000_001));
    expect(ids.length).toBe(Math.floor(1_000_001 / 4096) + [...(1_000_001 % 4096).toString(2)].filter((bit) => bit === '1').length);
    expect(tokenizer.decode(ids).length).toBe(1_000_001);
  });

  test('a million letters by token ranks, and through the pieces of a pattern', () => {
    const scores = Float32Array.from(letters, (_, id) => -id);
    const whole = createTokenizer(specOf(letters, { scores }), kernelsOf('simd'));
    const pieces = createTokenizer(specOf(letters, { scores }, { split: { steps: [(text) => [text]] } }), kernelsOf('simd'));
    const text = 'a'.repeat(1_000_000);
    expect(pieces.encode(text)).toEqual(whole.encode(text));
  });

  test('text longer than the window is split as if it were whole', () => {
    const spec = specOf(tokens, { merges }, { split: { steps: [], scanner: { number: SCAN.gpt2, flags: 0 } } });
    const tokenizer = createTokenizer(spec, kernelsOf('simd'));
    const piece = "it's  aabb 日本語 🙂\n\n  123 ";
    const text = piece.repeat(12_000);
    const once = tokenizer.encode(piece + piece);
    const [inner] = [tokenizer.encode(piece.repeat(3)).length - once.length];
    const ids = tokenizer.encode(text);
    expect(ids.length).toBe(once.length + 11_998 * inner!);
    expect(tokenizer.decode(ids)).toBe(text);
  });
});
