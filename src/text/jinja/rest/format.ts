import { fail, work } from '../meter.js';
import { fixed } from './numbers.js';
import { escapeHtml, escaped, floatText, intText, repr, text } from '../show.js';
import { concat, EMPTY, repeated, rewrite, Str, str } from '../str.js';
import { Dict, isNumber, numeric, or, Range, Tuple, typeName, Undefined, type Value, whole } from '../values.js';

/** repr() in ASCII. */
const ascii = (value: Value): Str => rewrite(repr(value), /[^\0-\x7f]/gu, escaped);

const exponential = (value: number, digits: number): string => value.toExponential(digits).replace(/e([+-])(\d)$/, 'e$10$2');

/** C's %g. */
function general(value: number, precision: number, keepZeros: boolean): string {
  const digits = precision || 1;
  if (!Number.isFinite(value)) return floatText(value);
  const power = Number(value.toExponential(digits - 1).split('e')[1]);
  const written = power < -4 || power >= digits ? exponential(value, digits - 1) : fixed(value, digits - 1 - power);
  return keepZeros || !written.includes('.') ? written : written.replace(/\.?0+(?=e|$)/, '');
}

const MOST_DIGITS = 1000;

/** A float without sign as e, f, g or % writes it. */
function floatAs(value: number, kind: string, precision: number, alternative: boolean): string {
  if (precision > MOST_DIGITS) fail('precision too big');
  const low = kind.toLowerCase();
  const number = kind === '%' ? value * 100 : value;
  if (!Number.isFinite(number)) return floatText(number) + (kind === '%' ? '%' : '');
  const written = low === 'e' ? exponential(number, Math.min(100, precision)) : low === 'g' ? general(number, Math.min(precision, 100), alternative) : fixed(number, precision);
  const upper = kind !== low ? written.toUpperCase() : written;
  return kind === '%' ? `${upper}%` : upper;
}

const RADIX: Readonly<Record<string, number>> = { x: 16, X: 16, o: 8, b: 2, d: 10 };
function intAs(value: bigint, kind: string): string {
  const written = kind === 'd' ? intText(value) : value.toString(RADIX[kind]);
  return kind === 'X' ? written.toUpperCase() : written;
}

const positive = <T extends bigint | number>(value: T): T => (value < 0 ? -value : value) as T;
const isNegative = (value: bigint | number) => value < 0 || Object.is(value, -0);

function padded(body: Str, width: number, align: string, fill: Str): Str {
  const lack = width - body.length;
  if (lack <= 0) return body;
  const before = align === '>' ? lack : align === '^' ? lack >> 1 : 0;
  return concat([repeated(fill, before), body, repeated(fill, lack - before)]);
}

const CONVERSION = /%(?:\(((?:[^()]|\([^()]*\))*)\))?([#0\- +]*)(\*|\d+)?(?:(\.)(\*|\d+)?)?[hlL]?([\s\S]?)/gu;

/** `%d` and its kin without padding: sign, digits. */
function numberFor(value: Value, kind: string, precision: string | undefined, alternative: boolean): { sign: string; body: string } {
  if (value instanceof Undefined) return value.fail();
  if (!isNumber(value)) return fail(`%${kind} format: a real number is required, not ${typeName(value)}`);
  const number = numeric(value);
  const sign = isNegative(number) ? '-' : '';
  if ('eEfFgG'.includes(kind)) return { sign, body: floatAs(positive(Number(number)), kind, precision === undefined ? 6 : Number(precision || 0), alternative) };
  if (typeof number === 'number' && (!'diu'.includes(kind) || !Number.isFinite(number))) return fail(`%${kind} format: an integer is required, not float`);
  const integer = positive(typeof number === 'number' ? BigInt(Math.trunc(number)) : number);
  const digits = intAs(integer, 'iu'.includes(kind) ? 'd' : kind).padStart(Math.min(MOST_DIGITS, Number(precision || 0)), '0');
  return { sign: integer ? sign : '', body: alternative && kind in { x: 1, X: 1, o: 1 } ? `0${kind}${digits}` : digits };
}

function character(value: Value): Str {
  if (value instanceof Str && value.length === 1) return value;
  if (typeof value !== 'bigint' || value < 0n || value > 0x10ffffn) return fail('%c requires int or char');
  return str(String.fromCodePoint(Number(value)));
}

/** The printf-like `text % values`. */
export function percent(pattern: Str, values: Value): Str {
  work(pattern.s.length);
  const wrap = (value: Str) => (pattern.safe ? escapeHtml(value) : value.as(false));
  const list = values instanceof Tuple ? values.items : [values];
  let used = 0;
  const next = () => (used < list.length ? list[used++]! : fail('not enough arguments for format string'));
  const parts: Str[] = [];
  let done = 0;
  for (const { 0: all, 1: name, 2: flags, 3: width, 4: dot, 5: precision, 6: kind, index } of pattern.s.matchAll(CONVERSION)) {
    parts.push(pattern.cut(done, index).as(false));
    done = index + all.length;
    if (kind === '%') { parts.push(str('%')); continue; }
    if (!kind || !'diuoxXeEfFgGcrsa'.includes(kind)) fail(kind ? `unsupported format character '${kind}'` : 'incomplete format');
    if (name !== undefined && !(values instanceof Dict)) fail('format requires a mapping');
    const number = (given: string | undefined) => (given === '*' ? String(whole(next())) : given);
    let [wide, digits] = [Number(number(width) ?? 0), number(dot ? (precision ?? '0') : undefined)];
    let left = flags!.includes('-');
    if (wide < 0) [wide, left] = [-wide, true];
    if (digits !== undefined && Number(digits) < 0) digits = '0';
    const value = name === undefined ? next() : or((values as Dict).get(str(name)), () => fail(`'${name}'`));
    if ('rsac'.includes(kind)) {
      const written = kind === 's' ? wrap(text(value)) : kind === 'c' ? character(value) : wrap(kind === 'r' ? repr(value) : ascii(value));
      const short = digits === undefined || kind === 'c' ? written : written.slice(0, Number(digits));
      parts.push(padded(short, wide, left ? '<' : '>', str(' ')));
      continue;
    }
    const { sign: minus, body } = numberFor(value, kind, digits, flags!.includes('#'));
    const sign = minus || (flags!.includes('+') ? '+' : flags!.includes(' ') ? ' ' : '');
    const zeros = flags!.includes('0') && !left;
    const lead = zeros && /^0[xXo]/.test(body) ? body.slice(0, 2) : '';
    if (zeros) parts.push(str(sign + lead), padded(str(body.slice(lead.length)), wide - sign.length - lead.length, '>', str('0')));
    else parts.push(padded(str(sign + body), wide, left ? '<' : '>', str(' ')));
  }
  const mapping = values instanceof Dict || values instanceof Undefined || values instanceof Range || Array.isArray(values);
  if (used < list.length && !mapping) fail('not all arguments converted during string formatting');
  return concat([...parts, pattern.cut(done).as(false)]).as(pattern.safe);
}

const SPEC = /^(?:([\s\S])?([<>=^]))?([+\- ]?)(z?)(#?)(0?)(\d*)([,_]?)(?:\.(\d+))?([bcdeEfFgGnosxX%]?)$/u;

const grouped = (digits: string, mark: string, size: number): string => digits.replace(new RegExp(`\\B(?=([0-9a-fA-F]{${size}})+(?![0-9a-fA-F]))`, 'g'), mark);

function numberBody(value: bigint | number, kind: string, precision: string | undefined, alternative: boolean, mark: string): string {
  let body: string;
  if (typeof value === 'bigint' && !'eEfFgG%'.includes(kind || 'd')) {
    if (precision !== undefined) fail('Precision not allowed in integer format specifier');
    if (kind === 'c') return character(value).s;
    body = intAs(value, kind === 'n' || !kind ? 'd' : kind);
  } else {
    if (kind && !'eEfFgG%n'.includes(kind)) fail(`Unknown format code '${kind}' for object of type 'float'`);
    const number = Number(value);
    if (!kind && precision === undefined) body = floatText(number);
    else {
      body = floatAs(number, kind === 'n' || !kind ? 'g' : kind, precision === undefined ? 6 : Number(precision), alternative);
      if (!kind && /^\d+$/.test(body)) body += '.0';
    }
  }
  if (!mark) return body;
  const [head, ...rest] = body.split(/(?=[.e%])/);
  return grouped(head!, mark, 'boxX'.includes(kind || 'd') ? 4 : 3) + rest.join('');
}

/** format(value, spec). */
export function formatted(value: Value, given: Str): Str {
  if (!given.s) return text(value).as(false);
  const found = SPEC.exec(given.s) ?? fail(`Invalid format specifier '${given.s}' for object of type '${typeName(value)}'`);
  const [, fill, align, sign, , alternative, zero, width, mark, precision, kind] = found as unknown as string[];
  const filler = fill === undefined ? str(zero ? '0' : ' ') : given.slice(0, 1);
  if (value instanceof Str) {
    if (sign || alternative || mark || (kind && kind !== 's') || align === '=') fail('Format specifier not allowed for str');
    const body = precision === undefined ? value : value.slice(0, Number(precision));
    return padded(body, Number(width), align ?? '<', filler);
  }
  if (!isNumber(value)) return fail(`unsupported format string passed to ${typeName(value)}.__format__`);
  if (kind === 's') return fail(`Unknown format code 's' for object of type '${typeName(value)}'`);
  const number = numeric(value);
  const body = numberBody(positive(number), kind!, precision, !!alternative, mark!);
  const prefix = alternative && 'boxX'.includes(kind || '-') ? `0${kind}` : '';
  const signs = (isNegative(number) ? '-' : sign === '+' || sign === ' ' ? sign : '') + prefix;
  const how = align ?? (zero ? '=' : '>');
  if (how !== '=') return padded(str(signs + body), Number(width), how, filler);
  return concat([str(signs), padded(str(body), Number(width) - signs.length, '>', filler)]);
}

export type Look = (value: Value, name: Value, attribute: boolean) => Value;

/** str.format(): `look` gets attributes and elements by the template's rules. */
export function formatText(pattern: Str, args: readonly Value[], named: Dict, look: Look, depth = 2, counter = { next: 0 }): Str {
  if (depth < 0) fail('Max string recursion exceeded');
  work(pattern.s.length);
  const { s } = pattern;
  const parts: Str[] = [];
  let at = 0;
  while (at < s.length) {
    const found = s.slice(at).search(/[{}]/);
    const open = found < 0 ? s.length : at + found;
    parts.push(pattern.cut(at, open).as(false));
    if (open >= s.length) break;
    if (s[open + 1] === s[open]) {
      parts.push(pattern.cut(open, open + 1).as(false));
      at = open + 2;
      continue;
    }
    if (s[open] === '}') fail("Single '}' encountered in format string");
    const close = closing(s, open);
    parts.push(field(pattern.cut(open + 1, close), args, named, look, depth, counter, pattern.safe));
    at = close + 1;
  }
  return parts.length ? concat(parts).as(pattern.safe) : EMPTY.as(pattern.safe);
}

function closing(s: string, open: number): number {
  let level = 0;
  for (let i = open; i < s.length; i++) {
    if (s[i] === '{') level++;
    else if (s[i] === '}' && --level === 0) return i;
  }
  return fail("expected '}' before end of string");
}

function field(inner: Str, args: readonly Value[], named: Dict, look: Look, depth: number, counter: { next: number }, safe: boolean): Str {
  const [, name, conversion, spec] = /^((?:[^!:[]|\[[^\]]*(?:\]|$))*)(?:!([^:]*))?(?::([\s\S]*))?$/.exec(inner.s) ?? fail("expected ':' after conversion specifier");
  const [, first, rest] = /^([^.[]*)([\s\S]*)$/.exec(name!) as unknown as string[];
  let value: Value;
  if (/^\d*$/.test(first!)) {
    const i = first ? Number(first) : counter.next;
    if (first ? counter.next > 0 : counter.next < 0) fail('cannot switch between manual field specification and automatic field numbering');
    counter.next = first ? -1 : counter.next + 1;
    value = or(args[i], () => fail('Replacement index out of range for positional args tuple'));
  } else value = or(named.get(str(first!)), () => fail(`'${first}'`));
  for (const { 1: attribute, 2: item } of rest!.matchAll(/\.([^.[]+)|\[([^\]]+)\]/g)) {
    value = attribute !== undefined ? look(value, str(attribute), true) : look(value, /^\d+$/.test(item!) ? BigInt(item!) : str(item!), false);
  }
  if (conversion !== undefined) value = conversion === 'r' ? repr(value) : conversion === 's' ? text(value) : conversion === 'a' ? ascii(value) : fail(`Unknown conversion specifier ${conversion}`);
  const start = inner.s.length - (spec?.length ?? 0);
  const width = spec === undefined ? EMPTY : formatText(inner.cut(start).as(false), args, named, look, depth - 1, counter);
  const written = safe && value instanceof Str && value.safe ? value : value instanceof Undefined && !width.s ? EMPTY : formatted(value, width);
  return safe ? escapeHtml(written).as(false) : written;
}
