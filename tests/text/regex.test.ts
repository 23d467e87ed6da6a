// Patterns of tokenizer files: what they match, that no text makes them run away, what is refused.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { property, posixBracket } from '../../src/text/unicode.js';
import { complement, has, intersection, union } from '../../src/text/code-set.js';
import { familyPatterns, isKnownPattern, preTokenizer, preTokenizerNames } from '../../src/text/patterns.js';
import { compilePattern, literalPattern, loadPatterns, replaceAll } from '../../src/text/regex.js';
import { cut, type Behaviour } from '../../src/text/split.js';
import { SHARED } from './support/shared.js';

await loadPatterns();

interface Case {
  pattern: string;
  behavior: string;
  invert: boolean;
  text: string;
  pieces: string[];
}
const readCases = (path: string) => readFileSync(path, 'utf8').trim().split('\n').map((line) => JSON.parse(line) as Case).filter(({ pattern }) => pattern !== undefined);
const camel = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()) as Behaviour;
const matches = (source: string, text: string) => {
  const spans = compilePattern(source).spans(text);
  return Array.from({ length: spans.length / 2 }, (_, i) => text.slice(spans[2 * i], spans[2 * i + 1]));
};

/** How many are cut otherwise, and how many refused. */
function count(cases: readonly Case[]): { other: Case[]; refused: number } {
  const found = { other: [] as Case[], refused: 0 };
  for (const one of cases) {
    try {
      const pieces = cut(compilePattern(one.pattern), camel(one.behavior), one.invert)(one.text, true);
      if (JSON.stringify(pieces) !== JSON.stringify(one.pieces)) found.other.push(one);
    } catch (error) {
      expect(error).toMatchObject({ code: 'unsupported' });
      found.refused++;
    }
  }
  return found;
}

describe('as Oniguruma in Python\'s tokenizers 0.23.3', () => {
  test('random patterns (tests/text/support/oniguruma.py)', () => {
    const cases = readCases(new URL('data/oniguruma.jsonl', import.meta.url).pathname);
    const { other, refused } = count(cases);
    expect(other).toEqual([]);
    expect(refused).toBeLessThan(cases.length / 50);
  });

  const shared = `${SHARED}split/cases.jsonl`;
  test.skipIf(!existsSync(shared))('random patterns of ../shared/data/split', { timeout: 120_000 }, () => {
    expect(count(readCases(shared))).toEqual({ other: [], refused: 0 });
  });

  // Made with the same tokenizers, one by one.
  test.each([
    ['a{3,1}', 'aaaaaa', ['aaa', 'aaa']],
    ['a{2}?', 'aaaaa', ['aa', 'aa', '']],
    ['a{,2}b', 'aaaab', ['aab']],
    ['a{1,2}+', 'aaaaab', ['aaaaa']],
    ['x{,}', 'x{,}', ['x{,}']],
    ['\\u4e00', '一u4e00', ['u4e00']],
    ['\\xe4\\xb8\\x80', 'x一', ['一']],
    ['\\pL', 'apL', ['pL']],
    ['(?i:ss)', 'aßSſẞ', ['ß', 'Sſ', 'ẞ']],
    ['(?i:[ß])', 'assSß', ['ss', 'ß']],
    ['(?i:\\p{Lu})', 'aB', ['B']],
    ['(?i:[[:upper:]])', 'aB', ['a', 'B']],
    ['a(?i)b|c', 'aB c aC C', ['aB', 'aC']],
    ['(?m:a.b)', 'a\nb', ['a\nb']],
    ['[[a-z]&&[^aeiou]]+', 'abcde', ['bcd']],
    ['[^a&&b]', 'ab', ['a', 'b']],
    ['[]a]', 'a]', ['a', ']']],
    ['\\w', 'a²½', ['a', '²', '½']],
    ['[\\w]', 'a²½', ['a']],
    ['[[:punct:]]', '¢!', ['¢', '!']],
    ['\\p{Punct}', '¢!', ['!']],
    ['\\R', 'a\r\nb\u0085', ['\r\n', '\u0085']],
    ['(?<=a+)b', 'aab', ['b']],
    ['(?<=^|\\s)a', 'a a\nab', ['a', 'a', 'a']],
    ['\\h', 'aGF', ['a', 'F']],
  ])('%s in %j', (source, text, found) => {
    expect(matches(source, text)).toEqual(found);
  });

  test('^ and $ are those of lines, ^ not behind the last one', () => {
    expect(compilePattern('^').spans('a\nb\n')).toEqual([0, 0, 2, 2]);
    expect(compilePattern('$').spans('a\nb\n')).toEqual([1, 1, 3, 3, 4, 4]);
    expect(compilePattern('\\Z').spans('a\nb\n')).toEqual([3, 3, 4, 4]);
  });
});

const RUN = 100_000;
const bits = Array.from({ length: RUN }, (_, i) => (Math.imul(i, 0x9e3779b1) >>> 9 & 1 ? 'a' : 'b')).join('');

describe('no pattern runs away', () => {
  // [pattern, text, matches]: each of them takes years, or minutes, in a backtracking engine, or a quadratic number of steps.
  test.each([
    ['(a+)+$', `${'a'.repeat(RUN)}b`, 0],
    ['(a|a)*b', 'a'.repeat(RUN), 0],
    ['(\\w+\\s?)*!', 'word '.repeat(RUN / 5), 0],
    ['\\s+$', `${' '.repeat(RUN)}x`, 0],
    ['.*a.*b', 'a'.repeat(RUN), 0],
    ['a.*b|a', 'a'.repeat(RUN), RUN],
    ['((((a*)*)*)*)*b', 'a'.repeat(RUN), 0],
    ['(?:a?){500}a{500}', 'a'.repeat(RUN), RUN / 1000],
    ['(?=(.*b))a', 'a'.repeat(RUN), 0],
    ['(?<=a.*)b', bits, bits.split('b').length - 1 - (/^b*/.exec(bits)![0].length)],
    ['(?>(a|aa)+)b', 'a'.repeat(RUN), 0],
    ['[ab]{400}c', bits, 0],
    ['(?i)(?:ß|ss|s)*x', 's'.repeat(RUN), 0],
  ] as const)('%s', { timeout: 20_000 }, (source, text, wanted) => {
    expect(compilePattern(source).spans(text).length / 2).toBe(wanted);
  });

  test('known patterns take a text of one character a hundred thousand times', { timeout: 120_000 }, () => {
    const sources = new Set(preTokenizerNames().flatMap((name) => familyPatterns(preTokenizer(name).family)));
    for (const source of sources) {
      for (const unit of [' ', 'a', 'A', '1', '\n', '.', '一', "'", ' a', '\u0301']) {
        const text = unit.repeat(RUN / unit.length);
        for (const whole of [text, `${text}x`, `${text}\n!`]) {
          const spans = compilePattern(source, 'perl', isKnownPattern(source)).spans(whole);
          expect(spans.at(-1) ?? 0).toBeLessThanOrEqual(whole.length);
        }
      }
    }
  });

  test('a long text is cut in blocks as a short one', () => {
    const part = 'Hello, wörld 🙂 12345\n\n  日本 don’t ';
    const text = part.repeat(3000);
    for (const source of ['\\p{L}+|\\p{N}{1,3}|[^\\p{L}\\p{N}]+?', '(?<=\\p{L})\\P{L}+(?=\\p{L}|\\z)', '🙂|\\b', '.{5000}|\\s']) {
      const [automaton, script] = [false, true].map((known) => compilePattern(source, 'oniguruma', known).spans(text));
      expect(automaton, source).toEqual(script);
    }
  });
});

test.each(['(a)\\1', '(?<n>a)\\k<n>', '(?<n>a\\g<n>?)', '(?(1)a|b)', '\\G', '\\Ka', '\\X', '(?~a)', '(*FAIL)', '(', ')', '[a', '*a', '\\p{NoSuch}', '[z-a]', 'a{1,100000}', '(?:(?:a{100}){100}){100}', '('.repeat(500)])(
  '%s is refused by name',
  (source) => {
    expect(() => compilePattern(source)).toThrow(expect.objectContaining({ code: 'unsupported', found: expect.stringContaining(JSON.stringify(source.slice(0, 200))) }));
  },
);

test('literals, and replacing', () => {
  expect(literalPattern('aa').spans('aaaaa')).toEqual([0, 2, 2, 4]);
  expect(literalPattern('').spans('ab')).toEqual([]);
  expect(replaceAll(compilePattern(' {2,}'), 'a  b   c d', '$&_')).toBe('a$&_b$&_c d');
});

test('sets of code points', () => {
  const letters = property('L')!;
  const upper = property('Lu')!;
  expect(union(letters, upper)).toEqual(letters);
  expect(intersection(letters, upper)).toEqual(upper);
  expect(complement(complement(letters))).toEqual(letters);
  expect(has(letters, 0x10ffff)).toBe(false);
  expect(posixBracket('nosuch')).toBeUndefined();
});
