import { StonechatError } from '../../errors.js';

/** @throws StonechatError `bad-file` naming the place where the JSON breaks. */
export function parseJson(text: string, where: string, remedy = 'A .jsonl file holds one JSON value per line, a .json file an array of them.'): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const at = brokenAt(text);
    const line = text.slice(0, at).split('\n').length;
    const column = at - text.lastIndexOf('\n', at - 1);
    const place = text.includes('\n') ? `line ${line}, column ${column}` : `column ${column}`;
    throw new StonechatError({ code: 'bad-file', expected: `JSON in ${where}`, found: `${at < text.length ? JSON.stringify(text.slice(at, at + 20)) : 'its end'} at ${place} (offset ${at})`, remedy, cause });
  }
}

/** One token of JSON, or nothing. */
const TOKEN = /[ \t\r\n]*(?:([[\]{},:])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*")|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null)/y;

type State = 'value' | 'first' | 'key' | 'firstKey' | 'colon' | 'next';

/** Where JSON that cannot be parsed stops being JSON: engines say it in words of their own, or not at all. */
export function brokenAt(text: string): number {
  const open: string[] = [];
  let state: State | 'end' = 'value';
  for (let at = 0; ; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text);
    const start = at + /^[ \t\r\n]*/.exec(text.slice(at, at + 1000))![0].length;
    if (!token) return start;
    const next = step(state, token[1] ?? (token[2] === undefined ? 'scalar' : 'string'), open);
    if (next === undefined) return start;
    state = next;
  }
}

function step(state: State | 'end', token: string, open: string[]): State | 'end' | undefined {
  const after = () => (open.length > 0 ? 'next' : 'end');
  const closes = (token === ']' && open.at(-1) === '[') || (token === '}' && open.at(-1) === '{');
  if (closes && ((state === 'first' && token === ']') || (state === 'firstKey' && token === '}') || state === 'next')) {
    open.pop();
    return after();
  }
  if (state === 'key' || state === 'firstKey') return token === 'string' ? 'colon' : undefined;
  if (state === 'colon') return token === ':' ? 'value' : undefined;
  if (state === 'next') return token === ',' ? (open.at(-1) === '{' ? 'key' : 'value') : undefined;
  if (state === 'end') return undefined;
  if (token === '[' || token === '{') {
    open.push(token);
    return token === '[' ? 'first' : 'firstKey';
  }
  return token === 'scalar' || token === 'string' ? after() : undefined;
}
