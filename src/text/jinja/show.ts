import { fail } from './meter.js';
import { concat, joined, rewrite, Str, str } from './str.js';
import { Dict, Fn, Lazy, nested, Range, Tuple, Undefined, type Value, View, typeName, Obj } from './values.js';

/** Python's shortest way to write a float. */
export function floatText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value < 0 ? '-inf' : 'inf';
  const [digits, exponent] = value.toExponential().split('e') as [string, string];
  const power = Number(exponent);
  if (value !== 0 && (power < -4 || power >= 16)) return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  const plain = Object.is(value, -0) ? '-0' : String(value);
  return plain.includes('.') ? plain : `${plain}.0`;
}

/** Longer ones are refused by Python too: writing them takes time that grows with the square of their length. */
const LONGEST_INT = 4300;
export function intText(value: bigint): string {
  if (value >= MOST_INT || -value >= MOST_INT) fail(`Exceeds the limit (${LONGEST_INT} digits) for integer string conversion`);
  return String(value);
}
const MOST_INT = 10n ** BigInt(LONGEST_INT);

const UNPRINTABLE = /(?! )[\p{C}\p{Z}\\]/gu;
const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };

export const escaped = (char: string): string => {
  const code = char.codePointAt(0)!;
  const [letter, width] = code < 0x100 ? ['x', 2] : code < 0x10000 ? ['u', 4] : ['U', 8];
  return `\\${letter}${code.toString(16).padStart(width as number, '0')}`;
};

function quoted(text: Str): Str {
  const quote = text.s.includes("'") && !text.s.includes('"') ? '"' : "'";
  const inner = rewrite(text.as(false), UNPRINTABLE, (char) => NAMED[char] ?? escaped(char));
  const body = quote === "'" && text.s.includes("'") ? rewrite(inner, /'/g, () => "\\'") : inner;
  const written = concat([str(quote), body, str(quote)]);
  return text.safe ? around('Markup(', written, ')') : written;
}

export const around = (before: string, text: Str, after: string): Str => concat([str(before), text, str(after)]);
const list = (items: readonly Value[]): Str => joined(items.map(repr), str(', '));

/** Pairs as a dict shows them. */
export const pairsText = (pairs: readonly (readonly [Value, Value])[]): Str => around('{', joined(pairs.map(([key, value]) => concat([repr(key), str(': '), repr(value)])), str(', ')), '}');

/** Python's repr(). */
export function repr(value: Value): Str {
  if (value instanceof Str) return quoted(value);
  if (value instanceof Undefined) return str('Undefined');
  if (typeof value !== 'object' || value === null) return text(value);
  return nested(() => {
    if (Array.isArray(value)) return around('[', list(value), ']');
    if (value instanceof Tuple) return around('(', list(value.items), value.items.length === 1 ? ',)' : ')');
    if (value instanceof Dict) return pairsText(value.pairs());
    if (value instanceof View) return around(`dict_${value.kind}([`, list(value.list()), '])');
    if (value instanceof Range) return str(`range(${value.start}, ${value.stop}${value.step === 1 ? '' : `, ${value.step}`})`);
    if (value instanceof Fn) return str(`<function ${value.name}>`);
    if (value instanceof Obj) return value.show();
    return str(value instanceof Lazy ? '<generator object>' : `<${typeName(value)}>`);
  });
}

/** Python's str(). */
export function text(value: Value): Str {
  if (value instanceof Str) return value;
  if (value === null) return str('None');
  if (typeof value === 'boolean') return str(value ? 'True' : 'False');
  if (typeof value === 'bigint') return str(intText(value));
  if (typeof value === 'number') return str(floatText(value));
  return value instanceof Undefined ? str('') : repr(value);
}
/** str() of what may be markup: a plain text. */
export const plain = (value: Value): Str => text(value).as(false);

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '>': '&gt;', '<': '&lt;', "'": '&#39;', '"': '&#34;' };
/** MarkupSafe's escape(). */
export const escapeHtml = (value: Value): Str => (value instanceof Str && value.safe ? value : rewrite(text(value), /[&<>'"]/g, (char) => ENTITIES[char]!).as(true));
