import { expect, test } from 'vitest';
import { COMMANDS } from '../../src/entry/cli/commands.js';
import { barLine, table } from '../../src/entry/cli/format.js';
import { commandHelp, overview } from '../../src/entry/cli/help.js';
import { drawing } from '../../src/entry/cli/next.js';
import { progressLine } from '../../src/entry/cli/terminal.js';
import { cut, Typist, widthOf, wrap } from '../../src/entry/cli/width.js';

/** What a terminal shows: backspaces move, the erasing sequence clears, a full line goes on below. */
function screen(written: string, columns: number): string[] {
  const lines: string[][] = [[]];
  let column = 0;
  for (const [part] of written.matchAll(/\u001b\[K|[^]/gu)) {
    const line = lines.at(-1)!;
    if (part === '\n') {
      lines.push([]);
      column = 0;
    } else if (part === '\b') column--;
    else if (part === '\u001b[K') line.length = column;
    else {
      if (column + widthOf(part) > columns) throw new Error(`the terminal breaks "${line.join('')}" before ${part}`);
      line.length = column;
      line.push(part, ...Array<string>(Math.max(0, widthOf(part) - 1)).fill(''));
      column += widthOf(part);
    }
  }
  return lines.map((line) => line.join('').trimEnd());
}

test('widths', () => {
  expect([widthOf('abc'), widthOf('日本'), widthOf('e\u0301'), widthOf('🦜'), widthOf('é')]).toEqual([3, 4, 1, 2, 1]);
  expect([cut('abcdef', 4), cut('日本語', 4), cut('ab', 2), cut('abc', 1), cut('abc', 0)]).toEqual(['abc…', '日…', 'ab', '…', '']);
  expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
  expect(wrap('abcdefghij kl', 4)).toEqual(['abcd', 'efgh', 'ij', 'kl']);
  expect(wrap('日本語日本語', 5)).toEqual(['日本', '語日', '本語']);
  expect(wrap('a\n\nb', 9)).toEqual(['a', '', 'b']);
});

test.each([8, 21, 40, 80])('text that streams in pieces is broken between words, at %i columns', (columns) => {
  const text = 'Once upon a time there was a small bird,\nand it said: "hello-world" 日本語の文 end.';
  const typist = new Typist(() => columns);
  const pieces = [...text].map((character) => typist.push(character)).join('');
  const shown = screen(pieces, columns);
  expect(shown.join(' ').replaceAll(/\s+/g, '')).toBe(text.replaceAll(/\s+/g, ''));
  for (const word of ['Once', 'upon', 'time', 'there', 'small', 'bird,', 'said:']) if (word.length < columns) expect(shown.some((line) => line.split(' ').includes(word)), word).toBe(true);
  expect(new Typist(() => columns).push(text)).toBe(pieces);
});

test('a word longer than a line is broken, and loses nothing', () => {
  const typist = new Typist(() => 10);
  expect(screen(typist.push(`ab ${'x'.repeat(25)} y`), 10).join('')).toBe(`ab${'x'.repeat(25)} y`);
});

test.each([20, 40, 79, 80, 120])('bars stay on one line of %i columns', (columns) => {
  const lines = [progressLine('load', 50 * 2 ** 20, 100 * 2 ** 20, 2, columns), progressLine('prefill', 640, 1280, 2, columns), progressLine('download', 2 ** 20, -1, 1, columns), barLine('step 1 of 2', 0.5, 'x'.repeat(200), columns)];
  for (const line of lines) expect(widthOf(line)).toBeLessThan(columns);
});

test.each([60, 80, 100])('help, tables and drawings fit %i columns', (columns) => {
  const texts = [overview(COMMANDS, columns), ...COMMANDS.map((command) => commandHelp({ ...command, examples: [], operands: '' }, columns))];
  texts.push(table([['name', 'a long text '.repeat(20), '12'], ['other', 'short', '3']], [2], columns));
  texts.push(drawing([{ id: 1, text: ' a', logprob: -0.1, top: [], probability: 0.9 }, { id: 2, text: ' another', logprob: -3, top: [], probability: 0.05 }] as never, 1, columns));
  for (const text of texts) for (const line of text.split('\n')) expect(widthOf(line), line).toBeLessThanOrEqual(columns);
  expect(texts.at(-2)!.replaceAll(/\s+/g, ' ')).toContain('a long text a long text');
});
