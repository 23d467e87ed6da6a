import { CODES, complement, type CodeSet, difference, has, intersection, range, single, tester, union, unionOf } from './code-set.js';
import * as data from './unicode-data.js';

/**
 * What tokenizers ask of Unicode, whatever the JavaScript engine's own version is: of 16.0, that of Oniguruma 6.9.10 in Python's
 * tokenizers, but where its other parts have another version (docs/numerics.md, "Unicode").
 */
export const UNICODE_VERSION = '16.0';

/** The sets of a list of runs, by name. */
function readRuns(runs: string, sign: RegExp, names: readonly string[], index: (sign: string) => number): Map<string, number[]> {
  const sets = new Map<string, number[]>(names.map((name) => [name, []]));
  let at = 0;
  for (const { 1: who, 2: length } of runs.matchAll(sign)) {
    const end = at + (length ? Number.parseInt(length, 36) : 1);
    sets.get(names[index(who!)]!)?.push(at, end);
    at = end;
  }
  return sets;
}

const readDistances = (text: string): CodeSet => {
  let at = 0;
  return text.split(' ').map((distance) => (at += Number.parseInt(distance, 36)));
};

function readMap(text: string): Map<number, number> {
  const map = new Map<number, number>();
  let start = 0;
  for (const run of text.split(',')) {
    const [skip, count, step, add] = run.split(' ').map((number) => Number.parseInt(number, 36)) as [number, number, number, number];
    start += skip;
    for (let i = 0; i < count; i++) map.set(start + i * step, start + i * step + add);
  }
  return map;
}

/** Made once, when first asked for. */
function lazy<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

const categories = lazy(() => {
  const signs = data.CATEGORY_SIGNS;
  return readRuns(data.CATEGORY_RUNS, /([A-Z!#$%])([0-9a-z]*)/g, data.CATEGORY_NAMES.split(' '), (sign) => signs.indexOf(sign));
});
const scripts = lazy(() => readRuns(data.SCRIPT_RUNS, /([A-Z_]{2})([0-9a-z]*)/g, data.SCRIPT_NAMES.split(' '), (sign) => (sign.charCodeAt(0) - 65) * 26 + sign.charCodeAt(1) - 65));

/** The union of all general categories that begin so: L, Lu, … */
const category = (beginning: string): CodeSet =>
  unionOf([...categories()].filter(([name]) => name.startsWith(beginning)).flatMap(([, set]) => pairs(set)));
const pairs = (set: CodeSet) => Array.from({ length: set.length / 2 }, (_, i) => [set[2 * i]!, set[2 * i + 1]!] as const);
const characters = (text: string): CodeSet => unionOf([...text].map((char) => [char.codePointAt(0)!, char.codePointAt(0)! + 1]));

const LONG_NAMES: Record<string, string> = {
  letter: 'L', uppercaseletter: 'Lu', lowercaseletter: 'Ll', titlecaseletter: 'Lt', modifierletter: 'Lm', otherletter: 'Lo', mark: 'M', combiningmark: 'M', nonspacingmark: 'Mn',
  spacingmark: 'Mc', enclosingmark: 'Me', number: 'N', decimalnumber: 'Nd', letternumber: 'Nl', othernumber: 'No', punctuation: 'P', punct: 'P', connectorpunctuation: 'Pc',
  dashpunctuation: 'Pd', openpunctuation: 'Ps', closepunctuation: 'Pe', initialpunctuation: 'Pi', finalpunctuation: 'Pf', otherpunctuation: 'Po', symbol: 'S', mathsymbol: 'Sm',
  currencysymbol: 'Sc', modifiersymbol: 'Sk', othersymbol: 'So', separator: 'Z', spaceseparator: 'Zs', lineseparator: 'Zl', paragraphseparator: 'Zp', other: 'C', control: 'Cc',
  format: 'Cf', surrogate: 'Cs', privateuse: 'Co', unassigned: 'Cn',
};

/** Sets that are no category and no script. POSIX brackets and \w \s \d \h are as in Oniguruma's Unicode encodings. */
const NAMED: Record<string, () => CodeSet> = {
  any: () => range(0, CODES - 1),
  ascii: () => range(0, 0x7f),
  assigned: () => complement(category('Cn')),
  lc: () => unionOf(['Lu', 'Ll', 'Lt'].flatMap((name) => pairs(category(name)))),
  alphabetic: () => union(union(category('L'), category('Nl')), readDistances(data.OTHER_ALPHABETIC)),
  uppercase: () => union(category('Lu'), readDistances(data.OTHER_UPPERCASE)),
  lowercase: () => union(category('Ll'), readDistances(data.OTHER_LOWERCASE)),
  whitespace: () => union(category('Z'), unionOf([[9, 14], [0x85, 0x86]])),
  xdigit: () => characters('0123456789ABCDEFabcdef'),
  word: () => ['Alphabetic', 'M', 'Nd', 'Pc'].map(property).reduce((all, set) => union(all!, set!))!,
  // Oniguruma's \\w, \\b and \\p{Word} outside of brackets count the superscripts and fractions of Latin-1 as well.
  wordalone: () => union(property('word')!, characters('²³¹¼½¾')),
  emoji: () => readDistances(data.EMOJI),
  extendedpictographic: () => readDistances(data.EXTENDED_PICTOGRAPHIC),
  // \\w of Rust's regex, by UTS 18.
  wordperl: () => union(property('word')!, range(0x200c, 0x200d)),
  alnum: () => union(NAMED.alphabetic!(), category('Nd')),
  blank: () => union(category('Zs'), single(9)),
  graph: () => complement(['whitespace', 'Cc', 'Cn', 'Cs'].map(property).reduce((all, set) => union(all!, set!))!),
  print: () => union(NAMED.graph!(), category('Zs')),
  // What Rust's tokenizers take from crates that have other versions of Unicode.
  rustmark: () => difference(category('M'), readDistances(data.MARKS_9)),
  rustnonspacing: () => difference(category('Mn'), readDistances(data.NONSPACING_8)),
  rustpunctuation: () => difference(category('P'), readDistances(data.PUNCTUATION_8)),
  rustother: () => difference(['Cc', 'Cf', 'Co'].map(category).reduce(union), readDistances(data.OTHER_8)),
  rustnumber: () => difference(category('N'), readDistances(data.NUMBERS_17)),
  posixpunct: () => union(category('P'), category('S')),
};
const ALIASES: Record<string, string> = { alpha: 'alphabetic', upper: 'uppercase', lower: 'lowercase', space: 'whitespace', digit: 'nd', cntrl: 'cc' };

const known = new Map<string, CodeSet | undefined>();

/** The code points of a property, by a name of a category, script, POSIX bracket or property; case, spaces, `_` and `-` do not matter. */
export function property(name: string): CodeSet | undefined {
  const key = name.toLowerCase().replace(/[ _-]/g, '');
  if (!known.has(key)) known.set(key, readProperty(ALIASES[key] ?? key));
  return known.get(key);
}

function readProperty(key: string): CodeSet | undefined {
  if (Object.hasOwn(NAMED, key)) return NAMED[key]!();
  const short = Object.hasOwn(LONG_NAMES, key) ? LONG_NAMES[key]! : key.length <= 2 ? key[0]!.toUpperCase() + key.slice(1) : undefined;
  if (short && [...categories().keys()].some((category) => category.startsWith(short))) return category(short);
  return [...scripts()].find(([script]) => script.toLowerCase().replaceAll('_', '') === key)?.[1];
}

/** `[[:punct:]]` and `\p{Punct}` differ in Oniguruma. */
export const posixBracket = (name: string): CodeSet | undefined =>
  /^(?:alpha|digit|alnum|upper|lower|space|punct|cntrl|xdigit|word|blank|graph|print|ascii)$/.test(name) ? property(name === 'punct' ? 'posixpunct' : name) : undefined;

interface Folds {
  /** A code point's whole circle of case: k, K and the Kelvin sign. Those without others are not listed. */
  circles: ReadonlyMap<number, readonly number[]>;
  /** Characters that fold to several: ß to ss. */
  long: ReadonlyMap<number, readonly number[]>;
}

/** Case folding, as (?i) needs it. */
export const folds = lazy((): Folds => {
  const simple = readMap(data.SIMPLE_FOLDS);
  const circles = new Map<number, number[]>();
  for (const [from, to] of simple) {
    const circle = circles.get(to) ?? [to];
    circle.push(from);
    circles.set(to, circle);
  }
  for (const circle of new Set(circles.values())) for (const code of circle) circles.set(code, circle);
  const long = data.LONG_FOLDS.split(' ').map((entry) => [...entry].map((char) => char.codePointAt(0)!));
  return { circles, long: new Map(long.map(([from, ...to]) => [from!, to])) };
});

const FEW = 256;

/** The set with every letter in all its cases. */
export function foldSet(set: CodeSet): CodeSet {
  const { circles } = folds();
  const size = set.reduce((sum, end, i) => sum + (i & 1 ? end : -end), 0);
  const added = new Set<number>();
  const add = (code: number) => circles.get(code)?.forEach((other) => added.add(other));
  if (size <= FEW) pairs(set).forEach(([from, to]) => { for (let code = from; code < to; code++) add(code); });
  else for (const code of circles.keys()) if (has(set, code)) add(code);
  return added.size ? union(set, unionOf([...added].map((code) => [code, code + 1]))) : set;
}

/** The set of a property as a question. */
const testers = new Map<string, (code: number) => boolean>();
export function isIn(name: string): (code: number) => boolean {
  let test = testers.get(name);
  if (!test) testers.set(name, (test = tester(property(name)!)));
  return test;
}

const earlyScripts = lazy(() => {
  const assigned = readDistances(data.ASSIGNED_9);
  const known = [...scripts()].filter(([name]) => name !== 'Unknown');
  const runs = known.flatMap(([name, set]) => pairs(intersection(set, assigned)).map(([from, to]) => ({ from, to, name })));
  const moved = data.MOVED_SCRIPTS_9.split(',').map((entry) => entry.split(' ') as [string, string]);
  return { runs: runs.sort((a, b) => a.from - b.from), moved: new Map(moved.map(([code, name]) => [Number.parseInt(code, 36), name])) };
});

/** A code point's script in Unicode 9.0; '' where it had none. */
export function earlyScript(code: number): string {
  const { runs, moved } = earlyScripts();
  let [low, high] = [0, runs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (runs[middle]!.to <= code) low = middle + 1;
    else high = middle;
  }
  const run = runs[low];
  return moved.get(code) ?? (run && run.from <= code ? run.name : '');
}

const lowerCase = lazy(() => readMap(data.LOWER_CASE));

/** The text with some characters changed: `change` gives undefined for those that stay. */
export function rewriteCharacters(text: string, change: (code: number) => string | undefined): string {
  let out = '';
  let done = 0;
  for (let at = 0; at < text.length; ) {
    const code = text.codePointAt(at)!;
    const next = at + (code > 0xffff ? 2 : 1);
    const made = change(code);
    if (made !== undefined) {
      out += text.slice(done, at) + made;
      done = next;
    }
    at = next;
  }
  return done ? out + text.slice(done) : text;
}

/** Without the characters of which `drops` says so. */
export const without = (text: string, drops: (code: number) => boolean): string => rewriteCharacters(text, (code) => (drops(code) ? '' : undefined));

const ASCII_LOWER = Array.from({ length: 128 }, (_, code) => (code >= 65 && code <= 90 ? String.fromCharCode(code + 32) : undefined));

/** Lower case character by character, as Rust's char::to_lowercase (a final sigma stays σ). */
export function toLower(text: string): string {
  const map = lowerCase();
  return rewriteCharacters(text, (code) => {
    if (code < 128) return ASCII_LOWER[code];
    if (code === 0x130) return 'i\u0307';
    const lower = map.get(code);
    return lower === undefined ? undefined : String.fromCodePoint(lower);
  });
}

