import type { Tokenizer } from '../../text/types.js';
import { cut, widthOf, wrap } from './width.js';

const BYTE_UNITS = ['bytes', 'KiB', 'MiB', 'GiB'] as const;

/** `12.3 MiB` */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${BYTE_UNITS[unit]}`;
}

/** `134,515,008` */
export const count = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 1 });

/** `1 token`, `2 tokens` */
export const several = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? '' : 's'}`;

/** `3 s`, `2 min 5 s` */
export const duration = (seconds: number): string => (seconds < 100 ? `${Math.ceil(seconds)} s` : `${Math.floor(seconds / 60)} min ${Math.ceil(seconds % 60)} s`);

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A bar of `width` characters for 1, in steps of an eighth of a character. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.max(0, Math.min(1, share)) * width * 8);
  return '█'.repeat(eighths >> 3) + EIGHTHS[eighths & 7]!;
}

/** `before ████░░ after`, the bar as wide as `width` columns leave room for, at most 24. */
export function barLine(before: string, share: number, after: string, width: number): string {
  const room = width - 1 - widthOf(before) - widthOf(after) - 2;
  const columns = Math.min(24, room);
  const middle = columns < 4 ? ' ' : ` ${bar(share, columns).padEnd(columns, '░')} `;
  return cut(before + middle + after, width - 1);
}

/** Columns padded to equal width; numbers, in `right`, to the left. Wider than `width`: the longest column of words is wrapped. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = [], width = Infinity): string {
  const widths = columnWidths(rows, right, width);
  const pad = (cell: string, column: number) => {
    const space = ' '.repeat(Math.max(0, widths[column]! - widthOf(cell)));
    return right.includes(column) ? space + cell : cell + space;
  };
  return rows.flatMap((row) => linesOf(row, widths)).map((row) => row.map(pad).join(GAP).trimEnd()).join('\n');
}

const GAP = '  ';
/** A column of words is not made narrower than this. */
const NARROWEST = 16;

function columnWidths(rows: readonly (readonly string[])[], right: readonly number[], width: number): number[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => widthOf(row[column]!))));
  const excess = widths.reduce((sum, columns) => sum + columns + GAP.length, -GAP.length) - width;
  if (!(excess > 0)) return widths;
  const words = widths.map((columns, column) => (right.includes(column) ? 0 : columns));
  const longest = words.indexOf(Math.max(...words));
  if (longest >= 0) widths[longest] = Math.max(Math.min(NARROWEST, widths[longest]!), widths[longest]! - excess);
  return widths;
}

/** A row as lines: cells that are wider than their column go on below. */
function linesOf(row: readonly string[], widths: readonly number[]): string[][] {
  const cells = row.map((cell, column) => (widthOf(cell) <= widths[column]! ? [cell] : wrap(cell, widths[column]!)));
  const height = Math.max(...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, i) => cells.map((lines) => lines[i] ?? ''));
}

/** JSON of anything: bigints as numbers where exact, else as texts; infinities and NaN as texts. */
export const json = (value: unknown, indent?: number): string =>
  JSON.stringify(
    value,
    (_, inner: unknown) => {
      if (typeof inner === 'bigint') return inner <= Number.MAX_SAFE_INTEGER && inner >= Number.MIN_SAFE_INTEGER ? Number(inner) : String(inner);
      if (typeof inner === 'number' && !Number.isFinite(inner)) return String(inner);
      return ArrayBuffer.isView(inner) ? Array.from(inner as unknown as ArrayLike<number | bigint>) : inner;
    },
    indent,
  );

/** The text of each token in a text of them; one inside a character has none, the last of it has all. */
export function tokenTexts(tokenizer: Tokenizer, ids: Iterable<number>): string[] {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return Array.from(ids, (id) => (tokenizer.isSpecial(id) ? decoder.decode() + tokenizer.token(id) : decoder.decode(tokenizer.bytes(id), { stream: true })));
}

/** The text of one token, or how the vocabulary spells it where it is part of a character. */
export function tokenText(tokenizer: Tokenizer, id: number): string {
  const [text] = tokenTexts(tokenizer, [id]);
  return text === '' || text!.includes('\ufffd') ? tokenizer.token(id) : text!;
}
