import { fail, spend, work } from './meter.js';
import { plain } from './show.js';
import { concat, joined, rewrite, Str, trimmedEnd, WS } from './str.js';
import { listOf, sliceOf, type Table, textOnly, Tuple, typeName, type Value, whole } from './values.js';

const START = new RegExp(`^[${WS}]+`, 'u');
const SPACES = new RegExp(`[${WS}]+`, 'gu');

export const own = (self: Value): Str => {
  const text = textOnly(self);
  work(text.s.length);
  return text;
};
export const option = (value: Value | undefined): Str | undefined => (value === undefined || value === null ? undefined : textOnly(value));
export const count = (value: Value | undefined): number => {
  const number = value === undefined ? -1 : whole(value);
  return number < 0 ? Infinity : number;
};

/** Without these characters, or white space, at its ends. */
export function strip(text: Str, chars: Str | undefined, left: boolean, right: boolean): Str {
  let [start, end] = [0, text.s.length];
  if (!chars) {
    if (left) start = START.exec(text.s)?.[0].length ?? 0;
    if (right) end = Math.max(start, trimmedEnd(text.s));
    return text.cut(start, end);
  }
  const set = new Set(chars.s);
  const points = [...text.s];
  let [from, to] = [0, points.length];
  if (left) while (from < to && set.has(points[from]!)) start += points[from++]!.length;
  if (right) while (to > from && set.has(points[to - 1]!)) end -= points[--to]!.length;
  return text.cut(start, end);
}

/** The same text in another case; the marks stay with their characters. */
export function recase(text: Str, change: (text: string) => string): Str {
  const s = change(text.s);
  if (!text.m || s.length === text.s.length) return new Str(s, text.m, text.safe);
  const one = rewrite(text, /[^]/gu, change);
  return one.s === s ? one : text.turned(s);
}
export const upper = (text: Str): Str => recase(text, (s) => s.toUpperCase());
export const lower = (text: Str): Str => recase(text, (s) => s.toLowerCase());

export const titled = (char: string): string => {
  const large = char.toUpperCase();
  return large.length > char.length ? large[0]! + large.slice(1).toLowerCase() : large;
};
const title = (text: Str): Str => recase(text, (s) => s.replace(/\p{Cased}[\p{Cased}\p{Case_Ignorable}]*/gu, titleWord));
/** Letters without case, digits and the like end a word, and so does an apostrophe. */
const titleWord = (run: string): string => run.toLowerCase().replace(/\p{Cased}+/gu, (word) => word.replace(/^[^]/u, titled));

export const isUpper = ({ s }: Str): boolean => !/[\p{Lowercase}\p{Lt}]/u.test(s) && /\p{Uppercase}/u.test(s);
export const isLower = ({ s }: Str): boolean => !/[\p{Uppercase}\p{Lt}]/u.test(s) && /\p{Lowercase}/u.test(s);

/** Where pieces of it stand, in units; all of `between` or white space is left out. */
export function places(text: Str, between: Str | undefined, most: number): [number, number][] {
  const found: [number, number][] = [];
  let at = 0;
  const cut = (index: number, length: number) => {
    found.push([at, index]);
    at = index + length;
  };
  if (between) {
    if (!between.s) fail('empty separator');
    for (let i = text.s.indexOf(between.s); i >= 0 && found.length < most; i = text.s.indexOf(between.s, at)) cut(i, between.s.length);
    return [...found, [at, text.s.length]];
  }
  at = START.exec(text.s)?.[0].length ?? 0;
  for (const { 0: space, index } of text.s.matchAll(SPACES)) {
    if (index < at) continue;
    if (found.length >= most) break;
    cut(index, space.length);
  }
  return at < text.s.length ? [...found, [at, text.s.length]] : found;
}

export const pieces = (text: Str, ends: readonly (readonly [number, number])[]): Str[] => {
  spend(ends.length);
  return ends.map(([start, end]) => text.cut(start, end));
};

export const split = (text: Str, between?: Str, most = Infinity): Str[] => pieces(text, places(text, between, most));

export function replace(text: Str, old: Str, by: Str, most = Infinity): Str {
  work(text.s.length);
  if (old.s) return joined(split(text, old, most), by).as(text.safe);
  const points = text.chars();
  const times = Math.min(most, points.length + 1);
  return concat([...points.flatMap((point, i) => (i < times ? [by, point] : [point])), ...(times > points.length ? [by] : [])]).as(text.safe);
}

/** Its part between two code points, and where that begins. */
export function range(text: Str, start: Value | undefined, end: Value | undefined): { part: Str; first: number } | undefined {
  const { length } = text;
  const { first, count: size } = sliceOf(length, start ?? null, end ?? null, null);
  if (first > length || (start !== undefined && start !== null && whole(start) > length)) return undefined;
  return { part: text.slice(first, first + size), first };
}

const edges = (check: (text: string, part: string) => boolean) => (self: Value, part?: Value, start?: Value, end?: Value): Value => {
  const within = range(own(self), start, end);
  const wanted = part instanceof Tuple ? part.items : [part!];
  return wanted.some((one) => check(within?.part.s ?? '', textOnly(one).s) && within !== undefined);
};

export const joinStrict = (self: Value, items?: Value): Value => {
  const parts = listOf(items!).map((item) => (item instanceof Str ? item : fail(`sequence item: expected str instance, ${typeName(item)} found`)));
  return parts.length === 1 && !own(self).safe ? parts[0]!.as(false) : joined(parts, own(self)).as(own(self).safe);
};
export const of = (change: (text: Str) => Value) => ['self', (self: Value): Value => change(own(self))] as const;

export const joinTexts = (items: readonly Value[], between: Value): Str => joined(items.map(plain), plain(between));

/** Python's methods of str; `self` comes first. */
export const stringMethods: Table = {
  endswith: ['self - -? -?', edges((text, part) => text.endsWith(part))],
  join: ['self -', joinStrict],
  lower: of(lower),
  lstrip: ['self -?', (self, chars) => strip(own(self), option(chars), true, false)],
  replace: ['self - - -?', (self, old, by, most) => replace(own(self), textOnly(old!), textOnly(by!), count(most))],
  rstrip: ['self -?', (self, chars) => strip(own(self), option(chars), false, true)],
  split: ['self sep? maxsplit?', (self, mark, most) => split(own(self), option(mark), count(most))],
  startswith: ['self - -? -?', edges((text, part) => text.startsWith(part))],
  strip: ['self -?', (self, chars) => strip(own(self), option(chars), true, true)],
  title: of(title),
  upper: of(upper),
};
