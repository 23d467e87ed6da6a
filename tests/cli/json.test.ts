import { describe, expect, test } from 'vitest';
import { brokenAt, parseJson } from '../../src/entry/cli/json.js';
import { expectRefusal } from '../files/support/expect.js';
import { random } from '../files/support/random.js';

describe('where JSON breaks', () => {
  test.each([
    ['[1, 2', 5], ['[1, 2}', 5], ['{"a": 1 "b": 2}', 8], ['{"a" 1}', 5], ['{a: 1}', 1], ['[1,]', 3], ['{"a":1,}', 7], ['"a', 0], ['[tru]', 1], ['[1] x', 4], ['', 0], ['["\n"]', 1], ['[01]', 2], ['["\\x"]', 1],
  ])('%j at %i', (text, at) => {
    expect(() => JSON.parse(text)).toThrow(SyntaxError);
    expect(brokenAt(text)).toBe(at);
  });

  test('never inside what can be parsed, whatever is broken', () => {
    const { next } = random(9);
    const good = JSON.stringify([{ a: [1, -2.5e3, 'x"\\\u00e9', null, true], b: {} }, [], [[]], '\n', 0], undefined, 1);
    for (let i = 0; i < 2000; i++) {
      const at = next(good.length);
      const bad = next(2) ? good.slice(0, at) : good.slice(0, at) + String.fromCharCode(32 + next(96)) + good.slice(at + 1);
      let parses = true;
      try {
        JSON.parse(bad);
      } catch {
        parses = false;
      }
      if (!parses) expect(brokenAt(bad), bad).toBeLessThanOrEqual(bad.length);
      if (!parses) expect(brokenAt(bad), bad).toBeGreaterThanOrEqual(Math.min(at, bad.length) - 12);
    }
  });

  test('is told by line and column', async () => {
    await expectRefusal(async () => parseJson('[\n {"a": 1},\n {"b": }\n]', 'x.json'), 'bad-file', /JSON in x\.json.* at line 3, column 8 \(offset 20\)/);
  });
});
