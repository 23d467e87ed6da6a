import { spend } from './meter.js';
import { Str } from './str.js';
import { Dict, type Value } from './values.js';

/** A number that JSON writes as a float: 3.0 is another text than 3. */
export class JsonFloat {
  constructor(readonly value: number) {}
}

/** Fields of a message that are the application's own, which templates write into markers (`<|user|>`). */
const OWN: ReadonlySet<string> = new Set(['/role', '/content/type']);

/** What the caller gives, as a template sees it. Objects are gone through when they are asked for. */
export function toValue(given: unknown, marked: boolean, path = ''): Value {
  spend(1);
  switch (typeof given) {
    case 'string': return marked && !OWN.has(path) ? new Str(given, '1'.repeat(given.length)) : new Str(given);
    case 'number': return Number.isInteger(given) ? BigInt(given) : given;
    case 'bigint': case 'boolean': return given;
    case 'object': return given === null ? null : toObject(given, marked, path);
    default: return null;
  }
}

function toObject(given: object, marked: boolean, path: string): Value {
  if (given instanceof JsonFloat) return given.value;
  if (Array.isArray(given)) return given.map((item) => toValue(item, marked, path));
  if ('toJSON' in given && typeof given.toJSON === 'function') return toValue(given.toJSON(), marked, path);
  return new Dict(function* () {
    for (const [name, value] of given instanceof Map ? (given as Map<unknown, unknown>) : Object.entries(given)) {
      if (value === undefined || typeof value === 'function') continue;
      yield [toValue(name, marked), toValue(value, marked, `${path}/${String(name)}`)];
    }
  });
}

const TOKEN = /[ \t\n\r]*(?:([[\]{},:])|("(?:[^"\\\0-\x1f]|\\.)*")|(-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?)|(true|false|null|NaN|-?Infinity))/y;

/** JSON that tells floats from ints, and may hold the NaN and Infinity that Python writes. @throws SyntaxError */
export function parseData(json: string): unknown {
  const checked = json.replace(/^\ufeff/, '');
  TOKEN.lastIndex = 0;
  let at = 0;
  const next = (): RegExpExecArray => {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(checked);
    if (!found) throw new SyntaxError(`Unexpected ${at < checked.length ? JSON.stringify(checked[at]) : 'end'} in JSON at position ${at}`);
    at = TOKEN.lastIndex;
    return found;
  };
  const value = (token: RegExpExecArray): unknown => {
    const [, sign, text, number, fraction, exponent, word] = token;
    if (text) return JSON.parse(text);
    if (number) return fraction || exponent ? new JsonFloat(Number(number)) : BigInt(number);
    if (word) return word in WORDS ? WORDS[word as 'true'] : new JsonFloat(Number(word));
    if (sign === '[') return list();
    if (sign === '{') return object();
    throw new SyntaxError(`Unexpected ${sign} in JSON at position ${at - 1}`);
  };
  const separated = (token: RegExpExecArray, end: string): boolean => {
    if (token[1] !== end && token[1] !== ',') throw new SyntaxError(`Expected , or ${end} in JSON at position ${at - 1}`);
    return token[1] === ',';
  };
  const list = (): unknown[] => {
    const items: unknown[] = [];
    let token = next();
    if (token[1] === ']') return items;
    for (;;) {
      items.push(value(token));
      if (!separated(next(), ']')) return items;
      token = next();
    }
  };
  const object = (): Map<string, unknown> => {
    const entries = new Map<string, unknown>();
    let token = next();
    if (token[1] === '}') return entries;
    for (;;) {
      if (!token[2] || next()[1] !== ':') throw new SyntaxError(`Expected a name and : in JSON at position ${at}`);
      entries.set(JSON.parse(token[2]) as string, value(next()));
      if (!separated(next(), '}')) return entries;
      token = next();
    }
  };
  const result = value(next());
  if (/[^ \t\n\r]/.test(checked.slice(at))) throw new SyntaxError(`Unexpected text behind the JSON at position ${at}`);
  return result;
}
const WORDS = { true: true, false: false, null: null } as const;
