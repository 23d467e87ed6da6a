import { fail } from './meter.js';
import { floatText, intText } from './show.js';
import { concat, joined, rewrite, Str, str } from './str.js';
import { Dict, lengthOf, nested, sequence, sorted, Tuple, typeName, Undefined, type Value } from './values.js';

const NAMED: Readonly<Record<string, string>> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\f': '\\f', '\b': '\\b' };
const code = (char: string) => char.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
const QUOTE = str('"');

export interface JsonStyle {
  readonly ascii: boolean;
  readonly indent: string | undefined;
  readonly comma: Str;
  readonly colon: Str;
  readonly sort: boolean;
}

const quote = (text: Str, ascii: boolean): Str =>
  concat([QUOTE, rewrite(text.as(false), ascii ? /[\0-\x1f"\\\x7f-\uffff]/g : /[\0-\x1f"\\]/g, (char) => NAMED[char] ?? (char === '\x7f' ? char : code(char))), QUOTE]);

function scalar(value: Value): string | undefined {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'bigint') return intText(value);
  if (typeof value !== 'number') return undefined;
  return Number.isFinite(value) ? floatText(value) : Number.isNaN(value) ? 'NaN' : value < 0 ? '-Infinity' : 'Infinity';
}

function keyText(key: Value): Str {
  if (key instanceof Str) return key;
  return str(scalar(key) ?? fail(`keys must be str, int, float, bool or None, not ${typeName(key)}`));
}

/** json.dumps(). */
export function dump(value: Value, style: JsonStyle, depth = 1): Str {
  if (value instanceof Str) return quote(value, style.ascii);
  const simple = scalar(value);
  if (simple !== undefined) return str(simple);
  const list = value instanceof Tuple || Array.isArray(value);
  if (!list && !(value instanceof Dict)) return fail(`Object of type ${typeName(value)} is not JSON serializable`);
  const [open, close] = list ? '[]' : '{}';
  if (!lengthOf(value)) return str(open! + close!);
  const line = (level: number) => (style.indent === undefined ? '' : `\n${style.indent.repeat(level)}`);
  const inner = nested(() => (list ? [...(sequence(value) as readonly Value[])].map((item) => dump(item, style, depth + 1)) : members(value as Dict, style, depth)));
  return concat([str(open + line(depth)), joined(inner, concat([style.comma, str(line(depth))])), str(line(depth - 1) + close)]);
}

function members(dict: Dict, style: JsonStyle, depth: number): Str[] {
  const pairs = dict.pairs();
  const ordered = style.sort ? (sorted(pairs.map((pair) => new Tuple(pair)), (pair) => (pair as Tuple).items[0]!) as Tuple[]).map(({ items }) => items as [Value, Value]) : pairs;
  return ordered.map(([key, item]) => concat([quote(keyText(key), style.ascii), style.colon, dump(item, style, depth + 1)]));
}

/** Options of tojson to a style. */
export function jsonStyle(ascii: boolean, indent: Value, separators: Value, sort: boolean): JsonStyle {
  const unit = indent === null ? undefined : indent instanceof Str ? indent.s : indent instanceof Undefined ? indent.fail() : typeof indent === 'bigint' || typeof indent === 'boolean' ? ' '.repeat(Math.min(1000, Math.max(0, Number(indent)))) : fail('indent must be an int or a str');
  const [comma, colon] = separators === null ? [str(unit === undefined ? ', ' : ','), str(': ')] : (sequence(separators) as readonly Value[] | undefined) ?? fail('separators must be a pair');
  return comma instanceof Str && colon instanceof Str ? { ascii, indent: unit, comma, colon, sort } : fail('separators must be texts');
}
