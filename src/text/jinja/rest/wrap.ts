import { fail, spend } from '../meter.js';
import { repr } from '../show.js';
import { concat, joined, Str, str, WS } from '../str.js';
import { Dict, sequence, sorted, Tuple, type Value } from '../values.js';
import { splitLines } from './strings.js';

const SPACE = '\\t\\n\\v\\f\\r ';
const WORD = '\\p{L}\\p{N}_';
/** Python's textwrap: white space, a dash between words, or a word with its hyphens. */
const CHUNKS = new RegExp(
  `([${SPACE}]+|(?<=[${WORD}!"'&.,?])-{2,}(?=[${WORD}])|[^${SPACE}]+?(?:-(?:(?<=[\\p{L}_]{2}-)|(?<=[\\p{L}_]-[\\p{L}_]-))(?=[\\p{L}_]-?[\\p{L}_])|(?=[${SPACE}]|$)|(?<=[${WORD}!"'&.,?])(?=-{2,}[${WORD}])))`,
  'u',
);
const PLAIN_CHUNKS = new RegExp(`([${SPACE}]+)`, 'u');

export interface Wrapping { readonly width: number; readonly breakWords: boolean; readonly breakHyphens: boolean }

/** One line to lines of at most `width`. */
export function wrapLine(line: Str, { width, breakWords, breakHyphens }: Wrapping): Str[] {
  if (width <= 0) fail(`invalid width ${width} (must be > 0)`);
  let at = 0;
  const chunks = line.s.split(breakHyphens ? CHUNKS : PLAIN_CHUNKS).filter((chunk) => chunk).map((chunk) => line.cut(at, (at += chunk.length))).reverse();
  const lines: Str[] = [];
  const blank = (chunk: Str) => !new RegExp(`[^${WS}]`, 'u').test(chunk.s);
  while (chunks.length) {
    if (lines.length && blank(chunks.at(-1)!)) chunks.pop();
    let used = 0;
    const current: Str[] = [];
    spend(1);
    while (chunks.length && used + chunks.at(-1)!.length <= width) {
      used += chunks.at(-1)!.length;
      current.push(chunks.pop()!);
    }
    if (chunks.length && chunks.at(-1)!.length > width) {
      if (breakWords) current.push(broken(chunks, width - used, breakHyphens));
      else if (!current.length) current.push(chunks.pop()!);
    }
    if (current.length && blank(current.at(-1)!)) current.pop();
    if (current.length) lines.push(concat(current));
  }
  return lines;
}

function broken(chunks: Str[], space: number, hyphens: boolean): Str {
  const chunk = chunks.pop()!;
  const hyphen = hyphens && chunk.length > space ? chunk.slice(0, space).s.lastIndexOf('-') : -1;
  const end = hyphen > 0 && /[^-]/.test(chunk.s.slice(0, hyphen)) ? chunk.point(hyphen) + 1 : space;
  chunks.push(chunk.slice(end));
  return chunk.slice(0, end);
}

const WIDTH = 80;
const rank = (key: Value): number => (key instanceof Str ? 1 : 0);
const byKey = (dict: Dict): [Value, Value][] => {
  const keys = dict.pairs().map(([key]) => key);
  const alike = keys.every((key) => rank(key) === rank(keys[0]!) && !(key instanceof Tuple) && key !== null);
  return (alike ? sorted(keys, (key) => key) : keys).map((key) => [key, dict.get(key)!]);
};

function flat(value: Value): Str {
  if (value instanceof Dict) return concat([str('{'), joined(byKey(value).map(([key, item]) => concat([repr(key), str(': '), flat(item)])), str(', ')), str('}')]);
  const list = value instanceof Tuple || Array.isArray(value) ? (sequence(value) as readonly Value[]) : undefined;
  if (!list) return repr(value);
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['(', list.length === 1 ? ',)' : ')'];
  return concat([str(open!), joined(list.map(flat), str(', ')), str(close!)]);
}

/** pprint.pformat(). */
export function pretty(value: Value, indent = 0, allowance = 0, level = 0): Str {
  const short = flat(value);
  if (short.length <= WIDTH - indent - allowance) return short;
  const line = str(`,\n${' '.repeat(indent + 1)}`);
  if (value instanceof Str) return value.s && !value.safe ? prettyText(value, indent, allowance, level + 1) : short;
  if (value instanceof Dict) {
    const pairs = byKey(value);
    return concat([str('{'), joined(pairs.map(([key, item], i) => {
      const name = repr(key);
      return concat([name, str(': '), pretty(item, indent + 1 + name.length + 2, i < pairs.length - 1 ? 1 : allowance + 1, level + 1)]);
    }), line), str('}')]);
  }
  const list = value instanceof Tuple || Array.isArray(value) ? (sequence(value) as readonly Value[]) : undefined;
  if (!list) return short;
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['(', list.length === 1 ? ',)' : ')'];
  return concat([str(open!), joined(list.map((item, i) => pretty(item, indent + 1, i < list.length - 1 ? 1 : allowance + close!.length, level + 1)), line), str(close!)]);
}

function prettyText(text: Str, given: number, room: number, level: number): Str {
  const [indent, allowance] = level === 1 ? [given + 1, room + 1] : [given, room];
  const chunks: Str[] = [];
  const lines = splitLines(text, true);
  lines.forEach((line, i) => {
    const end = i === lines.length - 1 ? allowance : 0;
    const whole = repr(line);
    if (whole.length <= WIDTH - indent - end) return void chunks.push(whole);
    let at = 0;
    const parts = [...line.s.matchAll(new RegExp(`[^${WS}]+[${WS}]*|[${WS}]+`, 'gu'))];
    let start = 0;
    parts.forEach(([part], j) => {
      const most = WIDTH - indent - (j === parts.length - 1 ? end : 0);
      if (at > start && repr(line.cut(start, at + part.length)).length > most) {
        chunks.push(repr(line.cut(start, at)));
        start = at;
      }
      at += part.length;
    });
    if (at > start) chunks.push(repr(line.cut(start, at)));
  });
  if (chunks.length === 1) return repr(text);
  const all = joined(chunks, str(`\n${' '.repeat(indent)}`));
  return level === 1 ? concat([str('('), all, str(')')]) : all;
}
