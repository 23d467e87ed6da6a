// encodeAsync gives the ids of encode, lets the event loop turn, and stops when it is told to.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { charsmap } from '../../src/text/charsmap.js';
import { createTokenizer, type Tokenizer } from '../../src/text/index.js';
import { Json } from '../../src/text/json.js';
import { markSpaces, mergeSpaces } from '../../src/text/normalise.js';
import { StringList } from '../../src/files/strings.js';
import { familySplitter, type FamilyName } from '../../src/text/patterns.js';
import { compilePattern, loadPatterns } from '../../src/text/regex.js';
import { readNormalizer } from '../../src/text/rules/normalizers.js';
import { wholePiece } from '../../src/text/rules/piece.js';
import { preTokenize, readPreTokenizers } from '../../src/text/rules/pretokenizers.js';
import { TokenFinder } from '../../src/text/special.js';
import { TOKEN, type TokenizerSpec } from '../../src/text/spec.js';
import { cut, splitInTurns, splitText, type Behaviour, type Splitter } from '../../src/text/split.js';
import { atOnce, CHUNK, type Turns } from '../../src/text/turns.js';
import { readShared, SHARED, kernels } from './support/shared.js';
import { tokenizerFromFile } from '../../src/text/index.js';
import { randomText } from './support/random-text.js';

await loadPatterns();

const letters = [...'abcdefghijklmnopqrstuvwxyz ABCDE012.,\n'];
const common = { added: [], normalise: [], prefix: { when: 'never' as const }, before: [], after: [], dropLeadingSpace: false };
const merging = (split: Splitter): Tokenizer => {
  const tokens = [...letters, 'th', 'the', ' the', 'in', 'ing', '  '];
  const merges: [string, string][] = [['t', 'h'], ['th', 'e'], [' ', 'the'], ['i', 'n'], ['in', 'g'], [' ', ' ']];
  const spec: TokenizerSpec = {
    ...common, kind: 'bpe', tokens: StringList.from(tokens), types: new Uint8Array(tokens.length).fill(TOKEN.normal), split,
    model: { model: 'merge', symbols: 'characters', writing: 'plain', merges, ignoreMerges: false, fuseUnknown: true }, unk: 0,
  };
  return createTokenizer(spec, kernels);
};
const unigram = (): Tokenizer => {
  const tokens = [...letters, 'th', 'the', 'the ', 'ing'];
  return createTokenizer({
    ...common, kind: 'unigram', tokens: StringList.from(tokens), types: new Uint8Array(tokens.length).fill(TOKEN.normal), split: { steps: [] }, unk: 0,
    model: { model: 'unigram', scores: Float64Array.from(tokens, (token) => -1 - token.length / 10), byteFallback: false },
  }, kernels);
};

/** Long lists: vitest's own comparison takes seconds. */
function expectSame<Item>(found: ArrayLike<Item>, wanted: ArrayLike<Item>): void {
  const differs = Array.prototype.findIndex.call(wanted, (item: Item, i: number) => found[i] !== item);
  expect([found.length, differs]).toEqual([wanted.length, -1]);
}

function turnsOf(turns: Turns<unknown>): number {
  let count = 0;
  while (!turns.next().done) count++;
  return count;
}

/** A character map of the letter a, which becomes X. */
const onlyA = (() => {
  const units = new Uint32Array(2048);
  units[0] = 256 << 10;
  units[256 ^ 0x61] = 0x61 | (1 << 8) | (1024 << 10);
  units[256 ^ 0x61 ^ 1024] = 0x80000000;
  return Uint8Array.from([...new Uint8Array(Uint32Array.of(units.length * 4).buffer), ...new Uint8Array(units.buffer), 0x58, 0]);
})();

/** Words, runs of spaces, other scripts and surrogate pairs, over several windows. */
function longText(units: number): string {
  const parts: string[] = [];
  for (let length = 0, seed = 1; length < units; seed++) {
    const part = seed % 7 === 0 ? randomText(seed, 40) : `the thing in the ${'ab c'.repeat(seed % 9)}  12345.\n\n🙂`;
    parts.push(part);
    length += part.length;
  }
  return parts.join('');
}

describe('the same ids', () => {
  const text = longText(400_000);
  test.each(['gpt2', 'llama3', 'o200k', 'qwen35', 'deepseekLlm', 'falcon', 'viking'] as const satisfies readonly FamilyName[])('%s', async (family) => {
    const tokenizer = merging(familySplitter(family));
    expectSame(await tokenizer.encodeAsync(text), tokenizer.encode(text));
    expect(await tokenizer.encodeAsync('')).toEqual(tokenizer.encode(''));
  });

  test('unigram, one long piece', async () => {
    const tokenizer = unigram();
    expectSame(await tokenizer.encodeAsync(text), tokenizer.encode(text));
  });

  test('while other texts are encoded with the same tokenizer', async () => {
    for (const tokenizer of [merging(familySplitter('gpt2')), merging({ steps: [cut(compilePattern('(?<=\\s)\\S+|\\s'))] })]) {
      const [first, second] = [tokenizer.encode(text), tokenizer.encode(text.slice(5))];
      const running = [tokenizer.encodeAsync(text), tokenizer.encodeAsync(text.slice(5))];
      for (let i = 0; i < 5; i++) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        expect(tokenizer.encode('the thing')).toEqual(tokenizer.encode('the thing'));
      }
      const [one, two] = await Promise.all(running);
      expectSame(one!, first);
      expectSame(two!, second);
    }
  });

  test.each(['isolated', 'removed', 'mergedWithPrevious', 'mergedWithNext', 'contiguous'] as const satisfies readonly Behaviour[])('pieces of %s', (behaviour) => {
    for (const source of ['\\s+', '\\w', '(?<=a)b|', 'zzz']) {
      const steps = [cut(compilePattern(source), behaviour), cut(compilePattern('\\d'), 'isolated')];
      const part = text.slice(0, 60_000);
      expectSame(atOnce(splitInTurns(steps, part, true)), splitText(steps, part, true));
    }
  });

  const file = 'tokenizers/t5-small/tokenizer.json';
  test.skipIf(!existsSync(`${SHARED}${file}`))('t5 of ../shared/data', { timeout: 60_000 }, async () => {
    const tokenizer = await tokenizerFromFile('tokenizer.json', readShared(file), kernels);
    const part = text.slice(0, 10_000);
    expectSame(await tokenizer.encodeAsync(part), tokenizer.encode(part));
  });
});

test('timers run in between, and progress is told', { timeout: 60_000 }, async () => {
  const tokenizer = merging({ steps: [cut(compilePattern('(?:\\w+\\s?)+?'))] });
  const text = longText(2_000_000);
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const told: number[] = [];
  const ids = await tokenizer.encodeAsync(text, { onProgress: ({ done, total }) => told.push(done / total) });
  clearInterval(timer);
  expect(ids.length).toBeGreaterThan(300_000);
  expect(turns).toBeGreaterThan(3);
  expect(told.length).toBeGreaterThan(3);
  expect(told.at(-1)).toBe(1);
});

test('a signal ends it', async () => {
  const tokenizer = merging(familySplitter('gpt2'));
  const controller = new AbortController();
  const encoding = tokenizer.encodeAsync(longText(3_000_000), { signal: controller.signal, onProgress: () => controller.abort() });
  await expect(encoding).rejects.toMatchObject({ name: 'StonechatError', code: 'aborted' });
  await expect(tokenizer.encodeAsync('a', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'aborted' });
  await expect(tokenizer.encodeAsync(1 as never)).rejects.toMatchObject({ code: 'bad-option' });
});

/** What rules make of texts, longer than any part that is done without a turn. */
describe('rules of tokenizer.json in turns', () => {
  const vectors = JSON.parse(readFileSync(new URL('data/unicode.json', import.meta.url), 'utf8')) as Record<'normalizers' | 'pre_tokenizers', Record<string, object>>;
  const more = {
    'Replace a pattern': { type: 'Replace', pattern: { Regex: ' +' }, content: '\u2581' }, 'Replace a letter': { type: 'Replace', pattern: { String: 'e' }, content: 'ee' },
    'all in order': { type: 'Sequence', normalizers: [{ type: 'NFKC' }, { type: 'Lowercase' }, { type: 'Prepend', prepend: '_' }, { type: 'StripAccents' }] },
  };
  const splits = Object.fromEntries(['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'].flatMap((behavior) => [false, true].map((invert) =>
    [`Split ${behavior}${invert ? ' inverted' : ''}`, { type: 'Split', pattern: { Regex: '[a-h]| ' }, behavior, invert }])));
  const preTokenizers = {
    ...vectors.pre_tokenizers, ...splits, Metaspace: { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'first' }, FixedLength: { type: 'FixedLength', length: 3 },
    ByteLevel: { type: 'ByteLevel', add_prefix_space: true, use_regex: true }, Delimiter: { type: 'CharDelimiterSplit', delimiter: 'e' },
  };
  const model = { type: 'Unigram', unk_id: 0, vocab: [['<unk>', 0], ...letters.map((letter): [string, number] => [letter, -2]), ['\u2581', -2], ['the', -1]] };
  const open = (more: object) => tokenizerFromFile('tokenizer.json', new TextEncoder().encode(JSON.stringify({ added_tokens: [{ id: 1, content: '12', special: false }], model, ...more })), kernels);
  const text = `${longText(70_000)}${'x'.repeat(70_000)}e\u0301\u0323\ud55c\u1100\u1161\u11a8`;
  /** Rules that only look at the ends. */
  const atEnds = new Set(['strip']);

  test.each(Object.entries({ ...vectors.normalizers, ...more }))('normalizer %s', async (name, normalizer) => {
    const tokenizer = await open({ normalizer });
    expectSame(await tokenizer.encodeAsync(text), tokenizer.encode(text));
    const step = readNormalizer(new Json(normalizer, name));
    if (!atEnds.has(name)) expect(turnsOf(step(wholePiece(text, 0)))).toBeGreaterThanOrEqual(Math.floor(text.length / CHUNK));
  });

  test.each(Object.entries(preTokenizers))('pre-tokenizer %s', async (name, rule) => {
    const tokenizer = await open({ pre_tokenizer: rule });
    expectSame(await tokenizer.encodeAsync(text), tokenizer.encode(text));
    const { steps } = readPreTokenizers(new Json(rule, name));
    expect(turnsOf(preTokenize(steps, wholePiece(text, 0)))).toBeGreaterThanOrEqual(Math.floor(text.length / CHUNK));
  });

  test.each([['Unigram', model], ['BPE', { type: 'BPE', unk_token: '<unk>', vocab: Object.fromEntries(['<unk>', ...letters, 'th', 'the'].map((token, id) => [token, id])), merges: ['t h', 'th e'] }]])(
    '%s on one long word', async (_, one) => {
      const tokenizer = await tokenizerFromFile('tokenizer.json', new TextEncoder().encode(JSON.stringify({ model: one, normalizer: { type: 'Lowercase' } })), kernels);
      const whole = tokenizer.encode(text);
      const running = tokenizer.encodeAsync(text);
      expect([...tokenizer.encode('the', { parseSpecial: true })]).toHaveLength(1); // others may be encoded in between, by other rules
      expectSame(await running, whole);
    });

  test('every part of the work has its turns', async () => {
    // A clock that says of every turn that it took long: each is told.
    let now = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 100));
    try {
      const chain = { normalizer: more['all in order'], pre_tokenizer: { type: 'Sequence', pretokenizers: [preTokenizers.Metaspace, vectors.pre_tokenizers.Punctuation, splits['Split MergedWithNext']] } };
      const tokenizer = await open(chain);
      let turns = 0;
      await tokenizer.encodeAsync(text, { onProgress: () => turns++ });
      const stages = 1 + 4 + 1 + 3 + 1; // tokens sought, normalizers, tokens sought, pre-tokenizers, words written
      expect(turns).toBeGreaterThan((stages - 1) * Math.floor(text.length / CHUNK)); // Prepend takes none
    } finally {
      clock.mockRestore();
    }
  });
});

describe('GGUF\'s and SentencePiece\'s normalisers in turns', () => {
  const text = longText(150_000);
  test('spaces, the character map', () => {
    for (const normaliser of [mergeSpaces, markSpaces, charsmap(onlyA)]) {
      expect(atOnce(normaliser.inTurns!(text))).toBe(normaliser(text));
      expect(turnsOf(normaliser.inTurns!(text))).toBeGreaterThanOrEqual(Math.floor(text.length / CHUNK));
    }
    expect(mergeSpaces('  a   b  ')).toBe('a b');
    expect(mergeSpaces('   ')).toBe('');
  });

  test('a match of the character map that lies across two parts', () => {
    const map = charsmap(onlyA);
    for (const at of [CHUNK - 2, CHUNK - 1, CHUNK, CHUNK + 255, CHUNK + 256]) expect(map(`${'\u00e9'.repeat(at)}a${'\u{1f600}'.repeat(400)}`)).toBe(`${'\u00e9'.repeat(at)}X${'\u{1f600}'.repeat(400)}`);
  });

  test('tokens across two windows of the search', () => {
    const finder = new TokenFinder(['<tok>', '<tok><tok2>', 'k>'].map((content, id) => ({ id, content, special: false, lstrip: false, rstrip: false, singleWord: false, normalized: false })));
    for (let at = CHUNK - 12; at < CHUNK + 2; at++) {
      const filled = `${'.'.repeat(at)}<tok><tok2>${'.'.repeat(CHUNK)}k>`;
      expect(finder.locate(filled).map(({ from, to, id }) => [from, to, id])).toEqual([[0, at, undefined], [at, at + 11, 1], [at + 11, filled.length - 2, undefined], [filled.length - 2, filled.length, 2]]);
    }
  });
});
