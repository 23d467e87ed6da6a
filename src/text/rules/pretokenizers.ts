import { bytesToLetters } from '../alphabet.js';
import type { Json } from '../json.js';
import { familyPatterns } from '../patterns.js';
import type { Pattern } from '../pattern.js';
import { compilePattern } from '../regex.js';
import { type Behaviour, GROUP } from '../split.js';
import type { Turns } from '../turns.js';
import { earlyScript } from '../unicode.js';
import { characterOf, literal, readPattern } from './matches.js';
import { characterEnd, marker } from './normalizers.js';
import { type Piece, prependTo, rewritePiece, slicePiece, type Split, splitAll, splitPiece } from './piece.js';

export interface PreTokenizers {
  readonly steps: readonly Split[];
  /** The last step writes bytes as letters of GPT-2's alphabet; it is left to the model. */
  readonly lettersLast: boolean;
}

const utf8 = new TextEncoder();
export const toLetters = (text: string): string => bytesToLetters(utf8.encode(text));
const writeLetters: Split = function* (piece) {
  return [yield* rewritePiece(piece, toLetters, characterEnd)];
};

/** The pre-tokenizers of a tokenizer.json. @throws StonechatError `unsupported` for one that is not known. */
export function readPreTokenizers(json: Json): PreTokenizers {
  const steps = json.exists ? readSteps(json) : [];
  const lettersLast = steps.at(-1) === writeLetters;
  return { steps: lettersLast ? steps.slice(0, -1) : steps, lettersLast };
}

export function* preTokenize(steps: readonly Split[], piece: Piece): Turns<Piece[]> {
  let pieces = piece.text ? [piece] : [];
  for (const step of steps) pieces = yield* splitAll(step, pieces);
  return pieces;
}

/** A step without turns: for what is done to few pieces, or in no time. */
const quick = (split: (piece: Piece) => Piece[]): Split =>
  // oxlint-disable-next-line require-yield -- there is nothing to wait for
  function* (piece) {
    return split(piece);
  };

const WHITE_SPACE = characterOf('\\s');
const PUNCTUATION = characterOf('[!-/:-@\\[-`{-~\\p{rustpunctuation}]');
const NUMERIC = characterOf('\\p{rustnumber}');
const splitter = (pattern: Pattern, behaviour: Behaviour, invert = false): Split => (piece) => splitPiece(piece, pattern, behaviour, invert);

function readSteps(json: Json): Split[] {
  const type = json.get('type').text();
  switch (type) {
    case 'Sequence': return json.get('pretokenizers').list().flatMap(readSteps);
    case 'BertPreTokenizer': return [splitter(WHITE_SPACE, 'removed'), splitter(PUNCTUATION, 'isolated')];
    case 'ByteLevel': return byteLevel(json);
    case 'CharDelimiterSplit':
    case 'Delimiter': return [splitter(literal(json.get('delimiter').text()), 'removed')];
    case 'Digits': return [splitter(NUMERIC, json.get('individual_digits').flag(false) ? 'isolated' : 'contiguous')];
    case 'FixedLength': return [fixedLength(json.get('length').number(5))];
    case 'Metaspace': return metaspace(json);
    case 'Punctuation': return [splitter(PUNCTUATION, behaviour(json.get('behavior'), 'Isolated'))];
    case 'Split': return [splitter(readPattern(json.get('pattern')), behaviour(json.get('behavior')), json.get('invert').flag(false))];
    case 'UnicodeScripts': return [unicodeScripts];
    case 'Whitespace': return [splitter(compilePattern('\\w+|[^\\w\\s]+', 'perl', true), 'removed', true)];
    case 'WhitespaceSplit': return [splitter(WHITE_SPACE, 'removed')];
    default: throw json.get('type').unsupported('a known pre-tokenizer');
  }
}

const BEHAVIOURS: Record<string, Behaviour> = {
  Removed: 'removed', Isolated: 'isolated', MergedWithPrevious: 'mergedWithPrevious', MergedWithNext: 'mergedWithNext', Contiguous: 'contiguous',
};

function behaviour(json: Json, otherwise?: string): Behaviour {
  const name = json.text(otherwise);
  if (Object.hasOwn(BEHAVIOURS, name)) return BEHAVIOURS[name]!;
  throw json.unsupported(Object.keys(BEHAVIOURS).join(', '));
}

function byteLevel(json: Json): Split[] {
  const steps: Split[] = [];
  if (json.get('add_prefix_space').flag(true)) steps.push(quick((piece) => [piece.text.startsWith(' ') ? piece : prependTo(piece, ' ')]));
  if (json.get('use_regex').flag(true)) steps.push(splitter(compilePattern(familyPatterns('gpt2')[0]!, 'perl', true), 'isolated'));
  return [...steps, writeLetters];
}

function metaspace(json: Json): Split[] {
  const mark = json.get('replacement').text('\u2581');
  const scheme = json.get('add_prefix_space').flag(true) ? json.get('prepend_scheme').text('always') : 'never';
  if (scheme !== 'always' && scheme !== 'first' && scheme !== 'never') throw json.get('prepend_scheme').wrong('always, first or never');
  const write = marker(mark);
  const step: Split = function* (piece) {
    const marked = yield* write(piece);
    const wanted = scheme === 'always' || (scheme === 'first' && piece.opens);
    return [wanted && !marked.text.startsWith(mark) ? prependTo(marked, mark) : marked];
  };
  return json.get('split').flag(true) ? [step, splitter(literal(mark), 'mergedWithNext')] : [step];
}

/** Pieces of so many characters. */
function fixedLength(length: number): Split {
  return function* (piece) {
    const pieces: Piece[] = [];
    let [from, count] = [0, 0];
    for (let at = 0; at < piece.text.length; ) {
      at = characterEnd(piece.text, at);
      if (++count % length === 0 || at === piece.text.length) pieces.push(slicePiece(piece, from, (from = at)));
      if (count % GROUP === 0) yield at;
    }
    return pieces;
  };
}

/** Cuts where the script changes; spaces have none, and Japanese is one (SentencePiece's rule). */
const unicodeScripts: Split = function* (piece) {
  const { text } = piece;
  const pieces: Piece[] = [];
  let last: string | undefined;
  let [from, turn] = [-1, GROUP]; // what is before the first script falls away
  for (let at = 0; at < text.length; at = characterEnd(text, at)) {
    const script = text[at] === ' ' ? '' : scriptOf(text.codePointAt(at)!);
    if (script !== '' && last !== script) {
      if (from >= 0) pieces.push(slicePiece(piece, from, at));
      from = at;
    }
    if (script !== '') last = script;
    if (at < turn) continue;
    yield at;
    turn = at + GROUP;
  }
  if (from >= 0) pieces.push(slicePiece(piece, from, text.length));
  return pieces;
};

const known = new Map<number, string>();

function scriptOf(code: number): string {
  const kept = known.get(code);
  if (kept !== undefined) return kept;
  const found = code === 0x30fc ? 'Han' : earlyScript(code);
  const script = found === 'Hiragana' || found === 'Katakana' ? 'Han' : found;
  if (known.size < 4096) known.set(code, script);
  return script;
}
