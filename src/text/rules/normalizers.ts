import { bytesToLetters } from '../alphabet.js';
import * as characters from '../characters.js';
import { forms } from '../forms.js';
import { breaksBetween } from '../graphemes.js';
import { checkGrowth } from '../growth.js';
import type { Json } from '../json.js';
import type { Form } from '../normal-forms.js';
import type { Pattern } from '../pattern.js';
import { spacesEnd, spacesStart } from '../special.js';
import type { MayCut } from '../turns.js';
import { isIn } from '../unicode.js';
import { readCharsmap } from './charsmap.js';
import { literal, readPattern } from './matches.js';
import { type Piece, prependTo, replaceSpans, type Rewrite, rewritePiece, spansOf } from './piece.js';

export const characterEnd = (text: string, at: number): number => at + (text.codePointAt(at)! > 0xffff ? 2 : 1);

/** A character with what combines with it. */
function clusterEnd(text: string, at: number): number {
  const isMark = isIn('M');
  let end = characterEnd(text, at);
  for (; end < text.length; end = characterEnd(text, end)) {
    const code = text.codePointAt(end)!;
    if (!isMark(code) && !(code >= 0x1160 && code <= 0x11ff)) break;
  }
  return end;
}

const byCharacter = (rewrite: (text: string) => string): Rewrite => (piece) => rewritePiece(piece, rewrite, characterEnd);
const byCluster = (rewrite: (text: string) => string, mayCut: MayCut): Rewrite => (piece) => rewritePiece(piece, rewrite, clusterEnd, mayCut);
const inForm = (form: Form, rewrite: (text: string) => string): Rewrite => byCluster(rewrite, (_, next) => forms().isBoundary(form)(next));

const utf8 = new TextEncoder();

/** The normalizers of a tokenizer.json as one step. @throws StonechatError `unsupported` for one that is not known. */
export function readNormalizer(json: Json): Rewrite {
  if (!json.exists) return inOrder([]);
  const type = json.get('type').text();
  if (type === 'Sequence') return inOrder(json.get('normalizers').list().map(readNormalizer));
  if (type === 'NFC' || type === 'NFD' || type === 'NFKC' || type === 'NFKD') return inForm(type, (text) => forms().normalize(text, type));
  if (type === 'Lowercase') return byCharacter(characters.toLower);
  if (type === 'StripAccents') return byCharacter(characters.stripMarks);
  if (type === 'Nmt') return byCharacter(characters.nmt);
  if (type === 'ByteLevel') return byCharacter((text) => bytesToLetters(utf8.encode(text)));
  if (type === 'Strip') return strip(json.get('strip_left').flag(true), json.get('strip_right').flag(true));
  if (type === 'Precompiled') return byCluster(readCharsmap(json.get('precompiled_charsmap')), breaksBetween);
  if (type === 'Prepend') return prepend(json.get('prepend').text());
  if (type === 'Replace') return replace(json);
  if (type === 'BertNormalizer' || type === 'Bert') return inOrder(bert(json));
  throw json.get('type').unsupported('a known normalizer');
}

/** All of them together may not make a text grow without end. */
const inOrder = (steps: readonly Rewrite[]): Rewrite =>
  function* (piece) {
    let done = piece;
    for (const step of steps) {
      done = yield* step(done);
      checkGrowth(piece.text.length, done.text.length);
    }
    return done;
  };

/** A rule that takes no time. */
const quick = (rewrite: (piece: Piece) => Piece): Rewrite =>
  // oxlint-disable-next-line require-yield -- there is nothing to wait for
  function* (piece) {
    return rewrite(piece);
  };

const prepend = (content: string): Rewrite => quick((piece) => prependTo(piece, content));
const replace = (json: Json): Rewrite => replacing(readPattern(json.get('pattern')), json.get('content').text());

const replacing = (pattern: Pattern, content: string): Rewrite =>
  function* (piece) {
    return piece.text ? yield* replaceSpans(piece, yield* spansOf(pattern, piece.text), content) : piece;
  };

const strip = (left: boolean, right: boolean): Rewrite =>
  quick(({ text, opens, first }) => {
    const from = left ? spacesEnd(text, 0) : 0;
    const to = right ? Math.max(from, spacesStart(text, text.length)) : text.length;
    return { text: text.slice(from, to), opens, first: Math.max(0, Math.min(to, first) - from) };
  });

/** BERT's: control characters out, spaces around Chinese characters, no accents, lower case. */
function bert(json: Json): Rewrite[] {
  const lower = json.get('lowercase').flag(true);
  const steps: Rewrite[] = [];
  if (json.get('clean_text').flag(true)) steps.push(byCharacter((text) => characters.cleanText(text)));
  if (json.get('handle_chinese_chars').flag(true)) steps.push(byCharacter(characters.spaceChinese));
  if (json.get('strip_accents').flag(lower)) steps.push(inForm('NFD', (text) => forms().stripAccents(text)));
  if (lower) steps.push(byCharacter(characters.toLower));
  return steps;
}

/** Metaspace's way with spaces. */
export const marker = (mark: string): Rewrite => replacing(literal(' '), mark);
