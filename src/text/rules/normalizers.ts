import { bytesToLetters } from '../alphabet.js';
import { checkGrowth } from '../growth.js';
import type { Json } from '../json.js';
import { spacesEnd, spacesStart } from '../special.js';
import { readCharsmap } from './charsmap.js';
import { literalFinder, readFinder } from './matches.js';
import { prependTo, replaceSpans, rewritePiece, type Piece } from './piece.js';

export type Normalizer = (piece: Piece) => Piece;

const CHARACTERS = /[^]/gu;
/** Characters with what combines with them. */
const CLUSTERS = /[^][\p{M}\u1160-\u11ff]*/gu;
const local = (rewrite: (text: string) => string, segments = CHARACTERS): Normalizer => (piece) => rewritePiece(piece, rewrite, segments);

/** Character by character: no sigma knows that it ends a word. */
export const lowercase = (text: string): string => (text.includes('\u03a3') ? text.split('\u03a3').map((part) => part.toLowerCase()).join('\u03c3') : text.toLowerCase());
const spaces = (text: string): string => text.replace(/\p{White_Space}/gu, ' ');
const stripAccents = (text: string): string => text.normalize('NFD').replace(/\p{Mn}/gu, '');
const utf8 = new TextEncoder();

/** The normalizers of a tokenizer.json as one step. @throws StonechatError `unsupported` for one that is not known. */
export function readNormalizer(json: Json): Normalizer {
  if (!json.exists) return (piece) => piece;
  const type = json.get('type').text();
  if (type === 'Sequence') return inOrder(json.get('normalizers').list().map(readNormalizer));
  if (type === 'NFC' || type === 'NFD' || type === 'NFKC' || type === 'NFKD') return local((text) => text.normalize(type), CLUSTERS);
  if (type === 'Lowercase') return local(lowercase);
  if (type === 'StripAccents') return local((text) => text.replace(/\p{M}/gu, ''));
  if (type === 'Nmt') return local(nmt);
  if (type === 'ByteLevel') return local((text) => bytesToLetters(utf8.encode(text)));
  if (type === 'Strip') return strip(json.get('strip_left').flag(true), json.get('strip_right').flag(true));
  if (type === 'Precompiled') return local(readCharsmap(json.get('precompiled_charsmap')), CLUSTERS);
  if (type === 'Prepend') return prepend(json.get('prepend').text());
  if (type === 'Replace') return replace(json);
  if (type === 'BertNormalizer' || type === 'Bert') return inOrder(bert(json));
  throw json.get('type').unsupported('a known normalizer');
}

/** All of them together may not make a text grow without end. */
const inOrder = (steps: readonly Normalizer[]): Normalizer => (piece) =>
  steps.reduce((done, step) => {
    const made = step(done);
    checkGrowth(piece.text.length, made.text.length);
    return made;
  }, piece);
const prepend = (content: string): Normalizer => (piece) => prependTo(piece, content);

function replace(json: Json): Normalizer {
  const find = readFinder(json.get('pattern'));
  const content = json.get('content').text();
  return (piece) => (piece.text ? replaceSpans(piece, find(piece.text), content) : piece);
}

const nmt = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- they are what it takes out
  text.replace(/[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]/g, '').replace(/[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g, ' ');

function strip(left: boolean, right: boolean): Normalizer {
  return (piece) => {
    const { text, origins } = piece;
    const from = left ? spacesEnd(text, 0) : 0;
    const to = right ? Math.max(from, spacesStart(text, text.length)) : text.length;
    return { ...piece, text: text.slice(from, to), ...(origins ? { origins: origins.slice(from, to) } : {}) };
  };
}

const CHINESE = /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

/** BERT's: control characters out, spaces around Chinese characters, no accents, lower case. */
function bert(json: Json): Normalizer[] {
  const lower = json.get('lowercase').flag(true);
  const steps: Normalizer[] = [];
  if (json.get('clean_text').flag(true)) steps.push(local((text) => spaces(text.replace(/[\0\ufffd]|(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}]/gu, ''))));
  if (json.get('handle_chinese_chars').flag(true)) steps.push(local((text) => text.replace(CHINESE, ' $& ')));
  if (json.get('strip_accents').flag(lower)) steps.push(local(stripAccents, CLUSTERS));
  if (lower) steps.push(local(lowercase));
  return steps;
}

/** Metaspace's way with spaces. */
export const marker = (mark: string): Normalizer => {
  const find = literalFinder(' ');
  return (piece) => replaceSpans(piece, find(piece.text), mark);
};
