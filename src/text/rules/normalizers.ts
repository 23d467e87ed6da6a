import { bytesToLetters } from '../alphabet.js';
import * as characters from '../characters.js';
import { forms } from '../forms.js';
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

const utf8 = new TextEncoder();

/** The normalizers of a tokenizer.json as one step. @throws StonechatError `unsupported` for one that is not known. */
export function readNormalizer(json: Json): Normalizer {
  if (!json.exists) return (piece) => piece;
  const type = json.get('type').text();
  if (type === 'Sequence') return inOrder(json.get('normalizers').list().map(readNormalizer));
  if (type === 'NFC' || type === 'NFD' || type === 'NFKC' || type === 'NFKD') return local((text) => forms().normalize(text, type), CLUSTERS);
  if (type === 'Lowercase') return local(characters.toLower);
  if (type === 'StripAccents') return local(characters.stripMarks);
  if (type === 'Nmt') return local(characters.nmt);
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

function strip(left: boolean, right: boolean): Normalizer {
  return (piece) => {
    const { text, origins } = piece;
    const from = left ? spacesEnd(text, 0) : 0;
    const to = right ? Math.max(from, spacesStart(text, text.length)) : text.length;
    return { ...piece, text: text.slice(from, to), ...(origins ? { origins: origins.slice(from, to) } : {}) };
  };
}

/** BERT's: control characters out, spaces around Chinese characters, no accents, lower case. */
function bert(json: Json): Normalizer[] {
  const lower = json.get('lowercase').flag(true);
  const steps: Normalizer[] = [];
  if (json.get('clean_text').flag(true)) steps.push(local((text) => characters.cleanText(text)));
  if (json.get('handle_chinese_chars').flag(true)) steps.push(local(characters.spaceChinese));
  if (json.get('strip_accents').flag(lower)) steps.push(local((text) => forms().stripAccents(text), CLUSTERS));
  if (lower) steps.push(local(characters.toLower));
  return steps;
}

/** Metaspace's way with spaces. */
export const marker = (mark: string): Normalizer => {
  const find = literalFinder(' ');
  return (piece) => replaceSpans(piece, find(piece.text), mark);
};
