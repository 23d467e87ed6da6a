import { work } from '../meter.js';
import { escapeHtml } from '../show.js';
import { concat, rewrite, type Str, str, WS } from '../str.js';
import { split } from '../strings.js';

/** The usual ones of HTML's two thousand. */
const ENTITIES: Readonly<Record<string, string>> = {
  lt: '<', gt: '>', amp: '&', quot: '"', apos: "'", nbsp: '\xa0', copy: '©', reg: '®', laquo: '«', raquo: '»', hellip: '…', mdash: '—', ndash: '–',
  lsquo: '‘', rsquo: '’', ldquo: '“', rdquo: '”', bull: '•', middot: '·', times: '×', deg: '°', euro: '€', pound: '£', yen: '¥', sect: '§', trade: '™',
};

const unescape = (text: Str): Str =>
  rewrite(text, /&(?:#(\d+)|#x([\da-f]+)|(\w+));?/gi, (all) => {
    const [, decimal, hex, name] = /^&(?:#(\d+)|#x([\da-f]+)|(\w+));?$/i.exec(all)!;
    if (name) return ENTITIES[name] ?? all;
    const code = decimal ? Number(decimal) : Number.parseInt(hex!, 16);
    return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : '\ufffd';
  });

/** Markup.striptags(). */
export function stripTags(text: Str): Str {
  work(text.s.length);
  const { s } = text;
  const parts: Str[] = [];
  let at = 0;
  for (let start = s.indexOf('<'); start >= 0; start = s.indexOf('<', at)) {
    const mark = s.startsWith('<!--', start) ? '-->' : '>';
    const end = s.indexOf(mark, mark === '>' ? start : start + 4);
    if (end < 0) break;
    parts.push(text.cut(at, start));
    at = end + mark.length;
  }
  const words = split(concat([...parts, text.cut(at)]).as(false));
  return unescape(concat(words.flatMap((one, i) => (i ? [str(' '), one] : [one]))));
}

const HTTP = /^(?:(?:https?:\/\/|www\.)(?:(?:[\p{L}\p{N}_%-]+\.)+)?(?:[a-z]{2,63}|xn--[\p{L}\p{N}_%]{2,59})|(?:[\p{L}\p{N}_%-]{2,63}\.)+(?:com|net|int|edu|gov|org|info|mil)|https?:\/\/(?:\d{1,3}(?:\.\d{1,3}){3}|\[(?:[\da-f]{0,4}:){2}(?:[\da-f]{0,4}:?){1,6}\]))(?::\d{1,5})?(?:[/?#]\S*)?$/iu;
const EMAIL = /^\S+@[\p{L}\p{N}_][\p{L}\p{N}_.-]*\.[\p{L}\p{N}_]+$/u;
const PAIRS = [['(', ')'], ['<', '>'], ['&lt;', '&gt;']] as const;
/** The patterns look at parts of a word more than once. */
const LONGEST = 2048;
const countOf = (text: string, part: string) => text.split(part).length - 1;

export interface LinkStyle { readonly limit: number | undefined; readonly attributes: string; readonly schemes: readonly string[] }

/** jinja2.utils.urlize(). */
export function linked(text: Str, style: LinkStyle): Str {
  return rewrite(escapeHtml(text).as(false), new RegExp(`[^${WS}]+`, 'gu'), (given) => {
    if (given.length > LONGEST) return given;
    const head = /^(?:[(<]|&lt;)+/.exec(given)?.[0] ?? '';
    let middle = given.slice(head.length);
    let tail = /(?:[)>.,\n]|&gt;)+$/.exec(middle)?.[0] ?? '';
    middle = middle.slice(0, middle.length - tail.length);
    for (const [open, close] of PAIRS) {
      const opened = countOf(middle, open);
      if (opened <= countOf(middle, close)) continue;
      for (let n = Math.min(opened, countOf(tail, close)); n > 0; n--) {
        const end = tail.indexOf(close) + close.length;
        middle += tail.slice(0, end);
        tail = tail.slice(end);
      }
    }
    return head + link(middle, style) + tail;
  });
}

function link(text: string, { limit, attributes, schemes }: LinkStyle): string {
  const shown = limit !== undefined && text.length > limit ? `${text.slice(0, limit)}...` : text;
  if (HTTP.test(text)) return `<a href="${/^https?:\/\//.test(text) ? '' : 'https://'}${text}"${attributes}>${shown}</a>`;
  if (text.startsWith('mailto:') && EMAIL.test(text.slice(7))) return `<a href="${text}">${text.slice(7)}</a>`;
  if (text.includes('@') && !/^(?:www\.|@)/.test(text) && !text.includes(':') && EMAIL.test(text)) return `<a href="mailto:${text}">${text}</a>`;
  return schemes.reduce((done, scheme) => (done !== scheme && done.startsWith(scheme) ? `<a href="${done}"${attributes}>${done}</a>` : done), text);
}
