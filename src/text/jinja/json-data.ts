import { JsonFloat } from './data.js';

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
