import { concat } from '../../files/chunks.js';
import { LETTER_BYTES } from '../alphabet.js';
import type { Json } from '../json.js';
import { atOnce } from '../turns.js';
import { readPattern } from './matches.js';
import { replaceSpans, wholePiece } from './piece.js';

/** One step of decoding: tokens become other tokens, which are joined at the end. */
export interface Decoder {
  decode(tokens: readonly string[]): readonly string[];
  /** What it makes of a token in the middle of a text, without its neighbours. */
  middle(token: string): string;
  /** It writes bytes: what tokens stand for need not be text. */
  readonly bytes?: 'letters' | 'codes';
}

/** The decoders of a tokenizer.json. Without any, tokens are joined by spaces. @throws StonechatError `unsupported` for one that is not known. */
export function readDecoders(json: Json): readonly Decoder[] {
  if (!json.exists) return [{ decode: (tokens) => [tokens.join(' ')], middle: (token) => ` ${token}` }];
  const type = json.get('type').text();
  switch (type) {
    case 'Sequence': return withoutFusedStrips(json.get('decoders').list());
    case 'BPEDecoder': return [suffixDecoder(json.get('suffix').text('</w>'))];
    case 'ByteFallback': return [{ decode: joinBytes, middle: (token) => token, bytes: 'codes' }];
    case 'ByteLevel': return [{ decode: (tokens) => [new TextDecoder('utf-8', { ignoreBOM: true }).decode(concat(tokens.map(letterBytes)))], middle: (token) => token, bytes: 'letters' }];
    case 'CTC': return [ctc(json)];
    case 'Fuse': return [{ decode: (tokens) => [tokens.join('')], middle: (token) => token }];
    case 'Metaspace': return [metaspace(json)];
    case 'Replace': return [replace(json)];
    case 'Strip': return [strip(json.get('content').text(), json.get('start').number(0), json.get('stop').number(0))];
    case 'WordPiece': return [wordPiece(json.get('prefix').text('##'), json.get('cleanup').flag(true))];
    default: throw json.get('type').unsupported('a known decoder');
  }
}

/** What strips behind Fuse takes from the whole text, not from a token in its middle. */
function withoutFusedStrips(list: readonly Json[]): Decoder[] {
  let fused = false;
  return list.flatMap((json) => {
    const decoders = readDecoders(json);
    const type = json.get('type').text();
    const whole = fused && type === 'Strip';
    fused ||= type === 'Fuse' || type === 'ByteLevel';
    return whole ? decoders.map((decoder) => ({ ...decoder, middle: (token: string) => token })) : decoders;
  });
}

const each = (change: (token: string) => string): Decoder => ({ decode: (tokens) => tokens.map(change), middle: change });

const suffixDecoder = (suffix: string): Decoder => ({
  decode: (tokens) => tokens.map((token, i) => token.replaceAll(suffix, i === tokens.length - 1 ? '' : ' ')),
  middle: (token) => token.replaceAll(suffix, ' '),
});

/** The byte of a token `<0xNN>`, or undefined. */
export const codedByte = (token: string): number | undefined => (/^<0x[0-9A-Fa-f]{2}>$/.test(token) ? Number.parseInt(token.slice(3, 5), 16) : undefined);

/** Runs of byte tokens become text, or one U+FFFD for each byte if they are none. */
function joinBytes(tokens: readonly string[]): string[] {
  const out: string[] = [];
  let bytes: number[] = [];
  const flush = () => {
    if (bytes.length) out.push(...textOf(bytes));
    bytes = [];
  };
  for (const token of tokens) {
    const byte = codedByte(token);
    if (byte === undefined) {
      flush();
      out.push(token);
    } else bytes.push(byte);
  }
  flush();
  return out;
}

function textOf(bytes: readonly number[]): string[] {
  try {
    return [new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes))];
  } catch {
    return bytes.map(() => '\ufffd');
  }
}

const utf8 = new TextEncoder();

/** The bytes whose letters a token is; a token with another character is text. */
export function letterBytes(token: string): Uint8Array {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = LETTER_BYTES[token.charCodeAt(i)] ?? 0xffff;
    if (byte === 0xffff) return utf8.encode(token);
    bytes[i] = byte;
  }
  return bytes;
}

function metaspace(json: Json): Decoder {
  const mark = json.get('replacement').text('\u2581');
  const drops = json.get('add_prefix_space').flag(true) && json.get('prepend_scheme').text('always') !== 'never';
  const middle = (token: string) => token.replaceAll(mark, ' ');
  return { decode: (tokens) => tokens.map((token, i) => (i || !drops ? middle(token) : token.replaceAll(mark, ''))), middle };
}

function replace(json: Json): Decoder {
  const pattern = readPattern(json.get('pattern'));
  const content = json.get('content').text();
  return each((text) => (text ? atOnce(replaceSpans(wholePiece(text, 0), pattern.spans(text), content)).text : text));
}

function strip(content: string, start: number, stop: number): Decoder {
  return each((token) => {
    const chars = [...token];
    let [from, to] = [0, chars.length];
    while (from < start && chars[from] === content) from++;
    while (chars.length - to < stop && to > from && chars[to - 1] === content) to--;
    return chars.slice(from, to).join('');
  });
}

const CLEANUPS: readonly (readonly [string, string])[] = [
  [' .', '.'], [' ?', '?'], [' !', '!'], [' ,', ','], [" ' ", "'"], [" n't", "n't"], [" 'm", "'m"], [' do not', " don't"], [" 's", "'s"], [" 've", "'ve"], [" 're", "'re"],
];
const cleaned = (text: string): string => CLEANUPS.reduce((done, [from, to]) => done.replaceAll(from, to), text);

function wordPiece(prefix: string, cleanup: boolean): Decoder {
  const tidy = (token: string) => (cleanup ? cleaned(token) : token);
  const middle = (token: string) => tidy(token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`);
  return { decode: (tokens) => tokens.map((token, i) => (i ? middle(token) : tidy(token))), middle };
}

/** Of equal neighbours one, padding out, the delimiter a space. */
function ctc(json: Json): Decoder {
  const [pad, delimiter] = [json.get('pad_token').text('<pad>'), json.get('word_delimiter_token').text('|')];
  const cleanup = json.get('cleanup').flag(true);
  const middle = (token: string) => {
    const text = pad ? token.replaceAll(pad, '') : token;
    return cleanup ? cleaned(text).replaceAll(delimiter, ' ') : text;
  };
  return { decode: (tokens) => tokens.filter((token, i) => token !== tokens[i - 1]).map(middle).filter((text) => text), middle };
}
