import { describe, expect, test } from 'vitest';
import { StringList } from '../../src/files/strings.js';
import { MergeEngine } from '../../src/text/engine.js';
import { familySplitter, knownScanner, preTokenizer, preTokenizerNames, type FamilyName } from '../../src/text/patterns.js';
import { compilePattern, literalPattern, loadPatterns } from '../../src/text/regex.js';
import type { Dialect } from '../../src/text/regex-parser.js';
import type { MergeModel, TokenizerSpec } from '../../src/text/spec.js';
import { cut, splitText, WHOLE } from '../../src/text/split.js';
import { kernels } from './support/shared.js';
import { randomText } from './support/random-text.js';

const model: MergeModel = { model: 'merge', symbols: 'bytes', writing: 'plain', merges: [], ignoreMerges: false, fuseUnknown: false };
const spec: TokenizerSpec = {
  kind: 'bpe', tokens: StringList.from(['a']), types: Uint8Array.of(1), added: [], normalise: [], prefix: { when: 'never' }, split: WHOLE, model,
  before: [], after: [], dropLeadingSpace: false,
};
await loadPatterns();
const FUZZ = Number(process.env.STONECHAT_FUZZ ?? 1500);
const utf8 = new TextEncoder();

describe('scanners split as the patterns do', () => {
  const engine = new MergeEngine(kernels, spec, model);
  const scanned = (text: string, family: FamilyName) => {
    const bytes = utf8.encode(text);
    let at = 0;
    return engine.split(text, familySplitter(family).scanner!).map((length) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(at, (at += length))));
  };

  test.each(['gpt2', 'digitsGpt2', 'cl100k', 'llama3', 'qwen2', 'o200k'] as const)('%s, on random text', (family) => {
    const { steps } = familySplitter(family);
    for (let seed = 1; seed <= FUZZ; seed++) {
      const text = randomText(seed, 1 + (seed % 40));
      const expected = splitText(steps, text, true);
      const found = scanned(text, family);
      if (JSON.stringify(found) !== JSON.stringify(expected)) expect({ seed, text, found }).toEqual({ seed, text, found: expected });
    }
  });

  test.each(['gpt2', 'cl100k', 'o200k'] as const)('%s, on every code point between letters', (family) => {
    const { steps } = familySplitter(family);
    for (let page = 0; page < 0x110000; page += 0x400) {
      if (page >= 0xd800 && page < 0xe000) continue;
      const text = Array.from({ length: 64 }, (_, i) => `a${String.fromCodePoint(page + i * 16 + (page >> 10) % 16)}B`).join(' ');
      const expected = splitText(steps, text, true);
      if (JSON.stringify(scanned(text, family)) !== JSON.stringify(expected)) expect(scanned(text, family)).toEqual(expected);
    }
  });
});

describe('patterns', () => {
  test('every name of llama.cpp that is known gives a splitter whose pieces make up the text', () => {
    const names = preTokenizerNames();
    expect(names.length).toBeGreaterThan(80);
    for (const name of names) {
      const { steps } = familySplitter(preTokenizer(name).family);
      for (let seed = 1; seed < 20; seed++) {
        const text = randomText(seed, 60);
        expect(splitText(steps, text, true).join(''), name).toBe(text);
      }
    }
  });

  // Expected pieces read off the patterns by hand; command-r has vectors but no vocabulary here.
  test.each([
    ['gpt-2', "I'm  12 ok.", ['I', "'m", ' ', ' 12', ' ok', '.']],
    ['command-r', "I'm  12 ok.", ['I', "'m", '  ', '1', '2', ' ok', '.']],
    ['llama-bpe', "I'M  1234 ok.\n\n x", ['I', "'M", ' ', ' ', '123', '4', ' ok', '.\n\n', ' x']],
    ['qwen2', '1234 (ok)', ['1', '2', '3', '4', ' (', 'ok', ')']],
    ['gpt-4o', "HelloWorld don't /x/\n", ['Hello', 'World', " don't", ' /', 'x', '/\n']],
    ['tekken', "don't ABCdef12", ['don', "'t", ' ABCdef', '1', '2']],
    ['deepseek-llm', 'a12,\nb 世界', ['a', '12', ',', '\n', 'b', ' ', '世界']],
    ['deepseek-coder', 'a12, b', ['a', '1', '2', ',', ' b']],
    ['deepseek-v3', '12345,ab 世界!', ['123', '45', ',ab', ' ', '世界', '!']],
    ['falcon', 'ab 12345, c', ['ab', ' ', '123', '45', ',', ' c']],
    ['bloom', 'Hello, world!', ['Hello', ',', ' world', '!']],
    ['viking', 'a1 b', ['a', '1', ' b']],
    ['superbpe', '1234567 x12', ['1', '234', '567', ' x', '12']],
    ['superbpe', '½123456', ['½', '123', '456']],
    ['tiny_aya', '1234567 Ab 1234b', ['1', '234', '567', ' Ab', ' ', '123', '4', 'b']],
    ['kimi-k2', 'ab你好cd', ['ab', '你好', 'cd']],
    ['default', 'a+b 12345', ['a', '+', 'b', ' ', '123', '45']],
    ['gemma4', 'a b\n\nc', ['a b', '\n\n', 'c']],
  ] as const)('%s: %j', (name, text, pieces) => {
    expect(splitText(familySplitter(preTokenizer(name).family).steps, text, true)).toEqual(pieces);
  });

  test('an unknown name is refused, none means default', () => {
    expect(preTokenizer(undefined).family).toBe('default');
    expect(() => preTokenizer('no-such')).toThrow(expect.objectContaining({ code: 'unsupported', found: '"no-such"' }));
  });

  test('spellings of one meaning share a scanner', () => {
    const llama3 = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
    expect(knownScanner([llama3])).toEqual({ number: 3, flags: 0 });
    expect(knownScanner([llama3.replace('{1,3}', '')])).toEqual({ number: 3, flags: 8 });
    expect(knownScanner([llama3.replace('{1,3}', '{1,2}')])).toBeUndefined();
    expect(knownScanner([String.raw`\p{N}`, familySource])).toEqual({ number: 2, flags: 32 });
  });
  const familySource = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;
});

describe('patterns of other engines', () => {
  const matches = (source: string, text: string, dialect: Dialect = 'perl') => {
    const [automaton, script] = [false, true].map((known) => compilePattern(source, dialect, known).spans(text));
    expect(script).toEqual(automaton);
    return Array.from({ length: automaton!.length / 2 }, (_, i) => text.slice(automaton![2 * i], automaton![2 * i + 1]));
  };

  test.each([
    ['\\s', '\u0085\ufeff ', ['\u0085', ' ']],
    ['[\\s\\d]+', 'a1 ٢b', ['1 ٢']],
    ['\\S+', 'ab\ufeff c', ['ab\ufeff', 'c']],
    ['\\w+', 'naïve_1-x', ['naïve_1', 'x']],
    ["(?i:'s|'LL)", "'S 's 'ſ 'll", ["'S", "'s", "'ſ", "'ll"]],
    ["'(?i:[sdmt]|ll)", "'S 'LL 'x", ["'S", "'LL"]],
    ['(?i)abc', 'ABC abc', ['ABC', 'abc']],
    ['a++b', 'aaab', ['aaab']],
    ['a++ab', 'aaab', []],
    ['(?>a|ab)c', 'abc ac', ['ac']],
    ['\\p{Han}+', 'a漢字b', ['漢字']],
    ['\\p{^L}+', 'a12b', ['12']],
    ['[[:punct:]]', 'a,b', [',']],
    ['\\Aab|c\\z', 'ababc', ['ab', 'c']],
    ['[a-z]{2}', 'abc', ['ab']],
    ['{x}', '{x}', ['{x}']],
    ['[\\-\\]]', 'a-]', ['-', ']']],
    ['\\x41\\x{1F642}', 'A🙂', ['A🙂']],
    ['.', 'a\n\u2028', ['a', '\u2028']],
  ])('%s', (source, text, found) => {
    expect([...matches(source, text)]).toEqual(found);
  });

  test('$ ends a line in Oniguruma, the text elsewhere', () => {
    expect([...matches('b$', 'ab\nb', 'oniguruma')]).toHaveLength(2);
    expect([...matches('b$', 'ab\nb')]).toHaveLength(1);
  });

  test.each(['(', 'a)', '[a', '\\q', '\\p{NoSuch}', '(a)\\1', '\\G', '(?(1)a)', '**'])('%s is refused', (source) => {
    expect(() => compilePattern(source, 'perl')).toThrow(expect.objectContaining({ code: 'unsupported' }));
  });

  test('what a match becomes', () => {
    const by = (behaviour: Parameters<typeof cut>[1], invert = false) => cut(literalPattern('-'), behaviour, invert)('a--b-', true);
    expect(by('isolated')).toEqual(['a', '-', '-', 'b', '-']);
    expect(by('removed')).toEqual(['a', 'b']);
    expect(by('mergedWithPrevious')).toEqual(['a-', '-', 'b-']);
    expect(by('mergedWithNext')).toEqual(['a', '-', '-b', '-']);
    expect(by('contiguous')).toEqual(['a', '--', 'b', '-']);
    expect(by('removed', true)).toEqual(['-', '-', '-']);
  });
});
