// encodeAsync gives the ids of encode, lets the event loop turn, and stops when it is told to.
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createTokenizer, type Tokenizer } from '../../src/text/index.js';
import { StringList } from '../../src/files/strings.js';
import { familySplitter, type FamilyName } from '../../src/text/patterns.js';
import { compilePattern, loadPatterns } from '../../src/text/regex.js';
import { TOKEN, type TokenizerSpec } from '../../src/text/spec.js';
import { cut, splitInTurns, splitText, type Behaviour, type Splitter } from '../../src/text/split.js';
import { atOnce } from '../../src/text/turns.js';
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
