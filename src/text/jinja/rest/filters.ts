import { Group, ownAttribute } from '../attributes.js';
import { flag, getter, ignoreCase, lazy, number, required, some } from '../filters.js';
import { fail, meter, spend, work } from '../meter.js';
import { binary } from '../operators.js';
import { escapeHtml, plain, text } from '../show.js';
import { concat, joined, repeated, rewrite, Str, str } from '../str.js';
import {
  Dict, each, element, equal, hashable, isNumber, type Kw, Lazy, lengthOf, listOf, numeric, Obj, or, order, sequence, slice, sorted, type Table, textOnly, truth, Tuple, typeName,
  Undefined, type Value, View, whole,
} from '../values.js';
import { percent } from './format.js';
import { type LinkStyle, linked, stripTags } from './html.js';
import { fixed, parseInteger, rounded, toFloat } from './numbers.js';
import { capitalize, center, splitFromRight, splitLines } from './strings.js';
import { pretty, wrapLine } from './wrap.js';

function manyGetter(paths: Value | undefined, sensitive: boolean): (item: Value) => Value {
  const getters: ((item: Value) => Value)[] = paths instanceof Str ? paths.s.split(',').map((path) => getter(str(path), sensitive)) : [getter(paths, sensitive)];
  return (item) => getters.map((get) => get(item));
}

function* unique(value: Value, sensitive: boolean, path: Value | undefined): Generator<Value> {
  const seen = new Set<unknown>();
  const get = getter(path, sensitive);
  for (const item of each(value)) {
    const key = hashable(get(item));
    if (!seen.has(key)) yield item;
    seen.add(key);
  }
}

function extreme(value: Value, sensitive: boolean, path: Value | undefined, sign: 1 | -1): Value {
  const get = getter(path, sensitive);
  let best: { item: Value; key: Value } | undefined;
  for (const item of each(value)) {
    const key = get(item);
    if (!best || (sign > 0 ? order(best.key, key, '>') < 0 : order(key, best.key) < 0)) best = { item, key };
  }
  return best ? best.item : new Undefined('No aggregated item, sequence was empty.');
}

function grouped(value: Value, path: Value, otherwise: Value | undefined, sensitive: boolean): Value {
  const get = getter(path, sensitive, otherwise);
  const groups: { key: Value; items: Value[] }[] = [];
  for (const item of sorted(listOf(value), get)) {
    const key = get(item);
    const last = groups.at(-1);
    if (last && equal(last.key, key)) last.items.push(item);
    else groups.push({ key, items: [item] });
  }
  const shown = getter(path, true, otherwise);
  return groups.map(({ items }) => new Group([shown(items[0]!), items]));
}

function sum(value: Value, path: Value | undefined, start: Value): Value {
  const get = getter(path, true);
  if (start instanceof Str) fail("sum() can't sum strings [use ''.join(seq) instead]");
  let total: Value = start;
  for (const item of each(value)) total = binary('+', total, get(item));
  return total;
}

function* batches(value: Value, size: Value, fill: Value | undefined): Generator<Value> {
  let batch: Value[] = [];
  for (const item of each(value)) {
    if (isNumber(size) && batch.length === Number(numeric(size))) {
      yield batch;
      batch = [];
    }
    batch.push(item);
  }
  if (!batch.length) return;
  if (some(fill) && order(BigInt(batch.length), size) < 0) {
    const lack = whole(size) - batch.length;
    spend(lack);
    batch = [...batch, ...Array.from({ length: lack }, () => fill)];
  }
  yield batch;
}

function* slices(value: Value, count: Value, fill: Value | undefined): Generator<Value> {
  const list = listOf(value);
  const [each_, more] = [binary('//', BigInt(list.length), count), binary('%', BigInt(list.length), count)].map(Number) as [number, number];
  const slots = whole(count);
  let offset = 0;
  for (let i = 0; i < slots; i++) {
    spend(1);
    const start = offset + i * each_;
    if (i < more) offset++;
    const part = list.slice(start, offset + (i + 1) * each_);
    yield some(fill) && i >= more ? [...part, fill] : part;
  }
}

function reversed(value: Value): Value {
  if (value instanceof Str) return slice(value, null, null, -1n);
  const list = sequence(value) ?? (value instanceof Dict || value instanceof View ? listOf(value) : undefined);
  if (!list) return value instanceof Undefined || value instanceof Lazy || value instanceof Obj ? listOf(value).reverse() : fail('argument must be iterable');
  let i = list.length;
  return lazy({ next: () => (i > 0 ? { done: false, value: element(list, --i) } : { done: true, value: undefined }) });
}

function random(value: Value): Value {
  const list = sequence(value) ?? fail(`object of type '${typeName(value)}' has no len()`);
  return list.length ? element(list, Math.floor(Math.random() * list.length)) : new Undefined('No random item, sequence was empty.');
}

function toInt(value: Value, otherwise: Value, base: number): Value {
  if (value instanceof Undefined) return value.fail();
  const int = value instanceof Str ? parseInteger(value.s, base) : typeof value === 'number' && Number.isFinite(value) ? BigInt(Math.trunc(value)) : isNumber(value) && typeof value !== 'number' ? numeric(value) : undefined;
  if (int !== undefined) return int;
  if (typeof value === 'number' && !Number.isNaN(value)) fail('cannot convert float infinity to integer');
  const float = value instanceof Str ? toFloat(value) : undefined;
  return float !== undefined && Number.isFinite(float) ? BigInt(Math.trunc(float)) : otherwise;
}

const SIZES = ['k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'];
function fileSize(value: Value, binaryUnits: boolean): Value {
  const bytes = toFloat(value) ?? fail(value instanceof Str ? `could not convert string to float: ${value.s}` : `float() argument must be a string or a real number, not '${typeName(value)}'`);
  const base = binaryUnits ? 1024 : 1000;
  if (bytes === 1) return str('1 Byte');
  if (bytes < base) return Number.isFinite(bytes) ? str(`${Math.trunc(bytes)} Bytes`) : fail('cannot convert float infinity to integer');
  const at = SIZES.findIndex((_, i) => bytes < base ** (i + 2));
  const i = at < 0 ? SIZES.length - 1 : at;
  return str(`${fixed((base * bytes) / base ** (i + 2), 1)} ${binaryUnits ? SIZES[i]!.toUpperCase() + 'i' : SIZES[i]}B`);
}

function indent(value: Value, width: Value, limit: boolean, blank: boolean): Value {
  const given = textOnly(value);
  const by = width instanceof Str ? width : repeated(str(' '), whole(width));
  work(given.s.length);
  const lines = splitLines(concat([given, str('\n')]));
  const done = lines.map((line, i) => (i > 0 && (blank || line.s) ? concat([by, line]) : line));
  const body = joined(done, str('\n'));
  return (limit ? concat([by, body]) : body).as(given.safe);
}

function truncate(value: Value, length: Value, kill: boolean, end: Value, leeway: Value): Value {
  const [most, tail] = [whole(length), textOnly(end)];
  if (most < tail.length) fail(`expected length >= ${tail.length}, got ${most}`);
  if (whole(leeway) < 0) fail(`expected leeway >= 0, got ${whole(leeway)}`);
  const size = lengthOf(value) ?? fail(`object of type '${typeName(value)}' has no len()`);
  if (size <= most + whole(leeway)) return value;
  const start = textOnly(value).slice(0, most - tail.length);
  const cut = kill ? start : splitFromRight(start, str(' '), 1)[0]!;
  return binary('+', cut, tail);
}

function wordwrap(value: Value, width: Value, breakWords: boolean, by: Value | undefined, breakHyphens: boolean): Value {
  const between = some(by) ? textOnly(by) : str('\n');
  const given = textOnly(value);
  work(given.s.length);
  const wrapping = { width: whole(width), breakWords, breakHyphens };
  return joined(splitLines(given).map((line) => joined(wrapLine(line, wrapping), between)), between);
}

const utf8 = new TextEncoder();
const quoteUrl = (value: Value, query: boolean): Str =>
  rewrite(plain(value), query ? /[^\w.~-]/gu : /[^\w.~/-]/gu, (char) => (query && char === ' ' ? '+' : [...utf8.encode(char)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')));

function urlEncode(value: Value): Value {
  if (value instanceof Str || (!sequence(value) && !(value instanceof Dict || value instanceof View || value instanceof Lazy || value instanceof Undefined))) return quoteUrl(value, false);
  const pairs = value instanceof Dict ? value.pairs() : listOf(value).map((pair) => unpacked(pair));
  return joined(pairs.map(([key, item]) => concat([quoteUrl(key, true), str('='), quoteUrl(item, true)])), str('&'));
}

function unpacked(pair: Value): [Value, Value] {
  const items = listOf(pair);
  return items.length === 2 ? (items as [Value, Value]) : fail(`${items.length < 2 ? 'not enough' : 'too many'} values to unpack (expected 2)`);
}

function xmlAttributes(value: Value, space: boolean, safe: boolean): Value {
  const dict = value instanceof Dict ? value : value instanceof Undefined ? value.fail() : fail(`'${typeName(value)}' object has no attribute 'items'`);
  const parts = dict.pairs().flatMap(([key, item]) => {
    if (item === null || item instanceof Undefined) return [];
    if (/[\t-\r />=]/.test(textOnly(key).s)) fail('Invalid character in attribute name');
    return [concat([escapeHtml(key), str('="'), escapeHtml(item), str('"')])];
  });
  const all = joined(parts, str(' '));
  return (space && all.s ? concat([str(' '), all]) : all).as(safe);
}

const words = (value: Value | undefined): string[] => (some(value) ? textOnly(value).s.split(/\s+/).filter((one) => one) : []);
function urlize(value: Value, limit: Value | undefined, nofollow: boolean, target: Value | undefined, rel: Value | undefined, schemes: Value | undefined): Str {
  const all = [...new Set([...words(rel), ...(nofollow ? ['nofollow'] : []), 'noopener'])].sort();
  const attributes = ` rel="${escapeHtml(str(all.join(' '))).s}"${some(target) && truth(target) ? ` target="${escapeHtml(target).s}"` : ''}`;
  const extra = some(schemes) ? listOf(schemes).map((scheme) => textOnly(scheme).s) : [];
  const bad = extra.find((scheme) => !/^[\w.+-]{2,}:\/{0,2}$/.test(scheme));
  if (bad !== undefined) fail(`'${bad}' is not a valid URI scheme prefix.`);
  const style: LinkStyle = { limit: some(limit) ? whole(limit) : undefined, attributes, schemes: extra };
  return linked(text(value), style);
}

function round(value: Value, precision: Value, method: string): Value {
  if (method === 'common') return value instanceof Undefined ? value.fail() : rounded(value, whole(precision));
  if (method !== 'ceil' && method !== 'floor') fail('method must be common, ceil or floor');
  const unit = binary('**', 10n, precision);
  const scaled = binary('*', value, unit);
  if (!isNumber(scaled)) fail(`must be real number, not ${typeName(scaled)}`);
  const number = numeric(scaled as number);
  const limit = typeof number === 'bigint' ? number : Number.isFinite(number) ? BigInt(Math[method as 'ceil'](number)) : fail('cannot convert float infinity to integer');
  return binary('/', limit, unit);
}

function absolute(value: Value): Value {
  if (value instanceof Undefined || !isNumber(value)) return fail(`bad operand type for abs(): '${typeName(value)}'`);
  const number = numeric(value);
  return typeof number === 'number' ? Math.abs(number) : number < 0n ? -number : number;
}

function dictSort(value: Value, sensitive: boolean, by: string, backwards: boolean): Value {
  const at = by === 'key' ? 0 : by === 'value' ? 1 : fail('You can only sort by either "key" or "value"');
  if (!(value instanceof Dict)) return value instanceof Undefined ? value.fail() : fail(`'${typeName(value)}' object has no attribute 'items'`);
  const key = (pair: Value) => (sensitive ? (pair as Tuple).items[at]! : ignoreCase((pair as Tuple).items[at]!));
  return sorted(new View('items', value).list(), key, backwards);
}
const escape = ['-', (value: Value) => escapeHtml(value)] as const;

function format(args: Value[], kw: Kw): Value {
  const given = text(required(args));
  if (args.length > 1 && kw.size) fail("can't handle positional and keyword arguments at the same time");
  return percent(given, kw.size ? Dict.of([...kw].map(([name, value]) => [str(name), value])) : new Tuple(args.slice(1)));
}

/** The filters of Jinja's manual that few templates use. */
export const filters: Table = {
  abs: ['-', absolute],
  attr: ['obj name', (value, name) => ownAttribute(value, textOnly(name!).s)],
  batch: ['value linecount fill_with?', (value, size, fill) => lazy(batches(value, size!, fill))],
  capitalize: ['s', (value) => capitalize(text(value))],
  center: ['value width?', (value, width) => center(text(value), number(width, 80n))],
  dictsort: ['value case_sensitive? by? reverse?', (value, sensitive, by, backwards) => dictSort(value, flag(sensitive), by instanceof Str ? by.s : by === undefined ? 'key' : '', flag(backwards))],
  e: escape,
  escape,
  filesizeformat: ['value binary?', (value, units) => fileSize(value, flag(units))],
  float: ['value default?', (value, otherwise) => or(toFloat(value), () => or(otherwise, () => 0))],
  forceescape: ['value', (value) => escapeHtml(plain(value))],
  format,
  groupby: ['value attribute default? case_sensitive?', (value, path, otherwise, sensitive) => grouped(value, path!, otherwise, flag(sensitive))],
  indent: ['s width? first? blank?', (value, width, all, blank) => indent(value, number(width, 4n), flag(all), flag(blank))],
  int: ['value default? base?', (value, otherwise, base) => toInt(value, number(otherwise, 0n), base === undefined ? 10 : whole(base))],
  max: ['value case_sensitive? attribute?', (value, sensitive, path) => extreme(value, flag(sensitive), path, 1)],
  min: ['value case_sensitive? attribute?', (value, sensitive, path) => extreme(value, flag(sensitive), path, -1)],
  pprint: ['value', (value) => pretty(value)],
  random: ['seq', random],
  reverse: ['value', reversed],
  round: ['value precision? method?', (value, precision, method) => round(value, number(precision, 0n), method === undefined ? 'common' : plain(method).s)],
  slice: ['value slices fill_with?', (value, count, fill) => lazy(slices(value, count!, fill))],
  sort: ['value reverse? case_sensitive? attribute?', (value, backwards, sensitive, path) => sorted(listOf(value), manyGetter(path, flag(sensitive)), flag(backwards))],
  striptags: ['value', (value) => stripTags(text(value))],
  sum: ['iterable attribute? start?', (value, path, start) => sum(value, path, number(start, 0n))],
  truncate: ['s length? killwords? end? leeway?', (value, size, kill, end, leeway) => truncate(value, number(size, 255n), flag(kill), end ?? str('...'), some(leeway) ? leeway : 5n)],
  unique: ['value case_sensitive? attribute?', (value, sensitive, path) => lazy(unique(value, flag(sensitive), path))],
  urlencode: ['value', urlEncode],
  urlize: ['value trim_url_limit? nofollow? target? rel? extra_schemes?', (value, limit, nofollow, target, rel, schemes) => urlize(value, limit, flag(nofollow), target, rel, schemes).as(meter().autoescape)],
  wordcount: ['s', (value) => BigInt(text(value).s.match(/[\p{L}\p{N}_]+/gu)?.length ?? 0)],
  wordwrap: ['s width? break_long_words? wrapstring? break_on_hyphens?', (value, width, breakWords, by, hyphens) => wordwrap(value, number(width, 79n), flag(breakWords, true), by, flag(hyphens, true))],
  xmlattr: ['d autospace?', (value, space) => xmlAttributes(value, flag(space, true), meter().autoescape)],
};
