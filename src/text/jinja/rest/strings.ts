import { fail, work } from '../meter.js';
import { concat, EMPTY, repeated, rewrite, type Str, str, WS } from '../str.js';
import { count, isLower, isUpper, of, option, own, pieces, places, range, recase, titled } from '../strings.js';
import { Dict, type Kw, textOnly, Tuple, type Table, truth, type Value, whole } from '../values.js';
import { formatText, type Look } from './format.js';

const LINE_END = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/g;
export const capitalize = (text: Str): Str => recase(text, (s) => s.toLowerCase().replace(/^[^]/u, titled));
const fold = (text: Str): Str => recase(text, (s) => s.replace(/[^]/gu, (char) => (char === 'ı' ? char : char.toUpperCase().toLowerCase())));
const swap = (text: Str): Str => recase(text, (s) => s.replace(/\p{Cased}/gu, (char) => (/\p{Lowercase}/u.test(char) ? char.toUpperCase() : char.toLowerCase())));
function isTitle({ s }: Str): boolean {
  let [after, any] = [false, false];
  for (const char of s) {
    const large = /[\p{Uppercase}\p{Lt}]/u.test(char);
    if (large ? after : !after && /\p{Lowercase}/u.test(char)) return false;
    after = /\p{Cased}/u.test(char);
    any ||= after;
  }
  return any;
}

export function splitFromRight(text: Str, between: Str | undefined, most: number): Str[] {
  const all = places(text, between, Infinity);
  if (all.length <= most + 1) return pieces(text, all);
  const last = all.slice(all.length - most);
  const first = all[all.length - most - 1]!;
  return pieces(text, [[0, first[1]], ...last]);
}

export function splitLines(text: Str, keep = false): Str[] {
  const ends: [number, number][] = [];
  let at = 0;
  for (const { 0: end, index } of text.s.matchAll(LINE_END)) {
    ends.push([at, keep ? index + end.length : index]);
    at = index + end.length;
  }
  if (at < text.s.length) ends.push([at, text.s.length]);
  return pieces(text, ends);
}

function pad(text: Str, width: Value, fill: Value | undefined, place: (lack: number, width: number) => number): Str {
  const filler = fill === undefined ? str(' ') : textOnly(fill);
  if (filler.length !== 1) fail('The fill character must be exactly one character long');
  const wide = whole(width);
  const lack = wide - text.length;
  if (lack <= 0) return text;
  const before = place(lack, wide);
  return concat([repeated(filler, before), text, repeated(filler, lack - before)]).as(text.safe);
}
export const center = (text: Str, width: Value, fill?: Value): Str => pad(text, width, fill, (lack, wide) => (lack >> 1) + (lack & wide & 1));

function zeroFilled(text: Str, width: Value): Str {
  const lack = whole(width) - text.length;
  const sign = /^[+-]/.test(text.s) ? 1 : 0;
  return lack <= 0 ? text : concat([text.cut(0, sign), repeated(str('0'), lack), text.cut(sign)]).as(text.safe);
}

function expandTabs(text: Str, size: number): Str {
  let column = 0;
  return rewrite(text, /[^\n\r\t]+|[\n\r]|\t/gu, (part) => {
    if (part === '\n' || part === '\r') column = 0;
    else if (part !== '\t') column += [...part].length;
    else {
      const lack = size > 0 ? size - (column % size) : 0;
      column += lack;
      work(lack);
      return ' '.repeat(lack);
    }
    return part;
  });
}

function search(self: Value, part: Value | undefined, start: Value | undefined, end: Value | undefined, last: boolean): number {
  const found = range(own(self), start, end);
  const wanted = textOnly(part!).s;
  if (!found) return -1;
  const at = last ? found.part.s.lastIndexOf(wanted) : found.part.s.indexOf(wanted);
  return at < 0 ? -1 : found.first + found.part.point(at);
}

const searcher = (last: boolean, must: boolean) => (self: Value, part?: Value, start?: Value, end?: Value): Value => {
  const at = search(self, part, start, end, last);
  return must && at < 0 ? fail('substring not found') : BigInt(at);
};

function countOf(self: Value, part?: Value, start?: Value, end?: Value): Value {
  const within = range(own(self), start, end);
  const wanted = textOnly(part!);
  if (!within) return 0n;
  return BigInt(wanted.s ? places(within.part, wanted, Infinity).length - 1 : within.part.length + 1);
}

function parted(self: Value, between: Value | undefined, last: boolean): Value {
  const text = own(self);
  const mark = textOnly(between!);
  if (!mark.s) fail('empty separator');
  const at = last ? text.s.lastIndexOf(mark.s) : text.s.indexOf(mark.s);
  const empty = EMPTY.as(text.safe);
  if (at < 0) return new Tuple(last ? [empty, empty, text] : [text, empty, empty]);
  return new Tuple([text.cut(0, at), text.cut(at, at + mark.s.length), text.cut(at + mark.s.length)]);
}

const is = (pattern: RegExp) => ['self', (self: Value): Value => pattern.test(own(self).s)] as const;
const DIGITS = '\\p{Nd}\\xb2\\xb3\\xb9\\u1369-\\u1371\\u19da\\u2070\\u2074-\\u2079\\u2080-\\u2089\\u2460-\\u2468\\u2474-\\u247c\\u2488-\\u2490\\u24ea\\u24f5-\\u24fd\\u24ff\\u2776-\\u277e\\u2780-\\u2788\\u278a-\\u2792';
const HAN = '\\u3405\\u3483\\u382a\\u3b4d\\u4e00\\u4e03\\u4e07\\u4e09\\u4e24\\u4e5d\\u4e8c\\u4e94\\u4ebf\\u4edf\\u5146\\u516b\\u516d\\u5341\\u5343\\u56db\\u58f9\\u767e\\u96f6';
const wholly = (set: string) => is(new RegExp(`^[${set}]+$`, 'u'));

function formatWith(look: Look) {
  return (args: Value[], kw: Kw): Value => formatText(own(args[0]!), args.slice(1), Dict.of([...kw].map(([name, value]) => [str(name), value])), look);
}

/** Python's methods of str; `self` comes first. */
export const stringMethods = (look: Look): Table => ({
  capitalize: of(capitalize),
  casefold: of(fold),
  center: ['self - -?', (self, width, fill) => center(own(self), width!, fill)],
  count: ['self - -? -?', countOf],
  encode: ['self encoding? errors?', () => fail('bytes are not supported')],
  expandtabs: ['self tabsize?', (self, size) => expandTabs(own(self), size === undefined ? 8 : whole(size))],
  find: ['self - -? -?', searcher(false, false)],
  format: formatWith(look),
  format_map: ['self -', (self, map) => formatText(own(self), [], map instanceof Dict ? map : fail('format_map() needs a mapping'), look)],
  index: ['self - -? -?', searcher(false, true)],
  isalnum: wholly(`\\p{L}\\p{N}${DIGITS}${HAN}`),
  isalpha: wholly('\\p{L}'),
  isascii: is(/^[\0-\x7f]*$/),
  isdecimal: wholly('\\p{Nd}'),
  isdigit: wholly(DIGITS),
  isidentifier: is(/^[\p{ID_Start}_]\p{ID_Continue}*$/u),
  islower: of(isLower),
  isnumeric: wholly(`\\p{N}${HAN}`),
  isprintable: is(/^(?:(?! )[^\p{C}\p{Z}]| )*$/u),
  isspace: wholly(WS),
  istitle: of(isTitle),
  isupper: of(isUpper),
  ljust: ['self - -?', (self, width, fill) => pad(own(self), width!, fill, () => 0)],
  partition: ['self -', (self, mark) => parted(self, mark, false)],
  removeprefix: ['self -', (self, part) => (own(self).s.startsWith(textOnly(part!).s) ? own(self).cut(textOnly(part!).s.length) : self)],
  removesuffix: ['self -', (self, part) => (own(self).s.endsWith(textOnly(part!).s) ? own(self).cut(0, own(self).s.length - textOnly(part!).s.length) : self)],
  rfind: ['self - -? -?', searcher(true, false)],
  rindex: ['self - -? -?', searcher(true, true)],
  rjust: ['self - -?', (self, width, fill) => pad(own(self), width!, fill, (lack) => lack)],
  rpartition: ['self -', (self, mark) => parted(self, mark, true)],
  rsplit: ['self sep? maxsplit?', (self, mark, most) => splitFromRight(own(self), option(mark), count(most))],
  splitlines: ['self keepends?', (self, keep) => splitLines(own(self), keep !== undefined && truth(keep))],
  swapcase: of(swap),
  zfill: ['self -', (self, width) => zeroFilled(own(self), width!)],
});
