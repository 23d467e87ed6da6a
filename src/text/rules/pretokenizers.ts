import { bytesToLetters } from '../alphabet.js';
import type { Json } from '../json.js';
import { familyPatterns } from '../patterns.js';
import { compilePattern } from '../regex.js';
import type { Behaviour } from '../split.js';
import { earlyScript } from '../unicode.js';
import { charFinder, literalFinder, patternFinder, readFinder } from './matches.js';
import { marker, type Normalizer } from './normalizers.js';
import { prependTo, rewritePiece, slicePiece, splitPiece, type Finder, type Piece } from './piece.js';

/** One step: a piece becomes pieces. */
export type PreTokenizer = (piece: Piece) => Piece[];

export interface PreTokenizers {
  readonly steps: readonly PreTokenizer[];
  /** The last step writes bytes as letters of GPT-2's alphabet; it is left to the model. */
  readonly lettersLast: boolean;
  /** A step asks whether a piece begins where the text does. */
  readonly tracked: boolean;
}

const utf8 = new TextEncoder();
export const toLetters = (text: string): string => bytesToLetters(utf8.encode(text));
const writeLetters: PreTokenizer = (piece) => [rewritePiece(piece, toLetters, /[^]/gu)];

/** The pre-tokenizers of a tokenizer.json. @throws StonechatError `unsupported` for one that is not known. */
export function readPreTokenizers(json: Json): PreTokenizers {
  const steps = json.exists ? readSteps(json) : [];
  const lettersLast = steps.at(-1) === writeLetters;
  return { steps: lettersLast ? steps.slice(0, -1) : steps, lettersLast, tracked: asksForFirst(json) };
}

function asksForFirst(json: Json): boolean {
  if (!json.exists) return false;
  if (json.get('type').text() === 'Sequence') return json.get('pretokenizers').list().some(asksForFirst);
  return json.get('type').text() === 'Metaspace' && json.get('prepend_scheme').text('always') === 'first';
}

export function preTokenize(steps: readonly PreTokenizer[], piece: Piece): Piece[] {
  let pieces = piece.text ? [piece] : [];
  for (const step of steps) pieces = pieces.length === 1 ? step(pieces[0]!) : pieces.flatMap(step);
  return pieces;
}

const WHITE_SPACE = charFinder('\\s');
const PUNCTUATION = charFinder('[!-/:-@\\[-`{-~\\p{rustpunctuation}]');
const NUMERIC = charFinder('\\p{rustnumber}');
const splitter = (find: Finder, behaviour: Behaviour, invert = false): PreTokenizer => (piece) => splitPiece(piece, find, behaviour, invert);

function readSteps(json: Json): PreTokenizer[] {
  const type = json.get('type').text();
  switch (type) {
    case 'Sequence': return json.get('pretokenizers').list().flatMap(readSteps);
    case 'BertPreTokenizer': return [splitter(WHITE_SPACE, 'removed'), splitter(PUNCTUATION, 'isolated')];
    case 'ByteLevel': return byteLevel(json);
    case 'CharDelimiterSplit':
    case 'Delimiter': return [splitter(literalFinder(json.get('delimiter').text()), 'removed')];
    case 'Digits': return [splitter(NUMERIC, json.get('individual_digits').flag(false) ? 'isolated' : 'contiguous')];
    case 'FixedLength': return [fixedLength(json.get('length').number(5))];
    case 'Metaspace': return metaspace(json);
    case 'Punctuation': return [splitter(PUNCTUATION, behaviour(json.get('behavior'), 'Isolated'))];
    case 'Split': return [splitter(readFinder(json.get('pattern')), behaviour(json.get('behavior')), json.get('invert').flag(false))];
    case 'UnicodeScripts': return [unicodeScripts];
    case 'Whitespace': return [splitter(patternFinder(compilePattern('\\w+|[^\\w\\s]+', 'perl', true)), 'removed', true)];
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

function byteLevel(json: Json): PreTokenizer[] {
  const steps: PreTokenizer[] = [];
  if (json.get('add_prefix_space').flag(true)) steps.push((piece) => [piece.text.startsWith(' ') ? piece : prependTo(piece, ' ')]);
  if (json.get('use_regex').flag(true)) steps.push(splitter(patternFinder(compilePattern(familyPatterns('gpt2')[0]!, 'perl', true)), 'isolated'));
  return [...steps, writeLetters];
}

function metaspace(json: Json): PreTokenizer[] {
  const mark = json.get('replacement').text('\u2581');
  const scheme = json.get('add_prefix_space').flag(true) ? json.get('prepend_scheme').text('always') : 'never';
  if (scheme !== 'always' && scheme !== 'first' && scheme !== 'never') throw json.get('prepend_scheme').wrong('always, first or never');
  const write: Normalizer = marker(mark);
  const step: PreTokenizer = (piece) => {
    const marked = write(piece);
    const wanted = scheme === 'always' || (scheme === 'first' && piece.start === 0);
    return [wanted && !marked.text.startsWith(mark) ? prependTo(marked, mark) : marked];
  };
  return json.get('split').flag(true) ? [step, splitter(literalFinder(mark), 'mergedWithNext')] : [step];
}

/** Pieces of so many characters. */
function fixedLength(length: number): PreTokenizer {
  return (piece) => {
    const cuts = [0];
    let count = 0;
    for (let at = 0; at < piece.text.length; ) {
      at += piece.text.codePointAt(at)! > 0xffff ? 2 : 1;
      if (++count % length === 0 || at === piece.text.length) cuts.push(at);
    }
    return cuts.slice(1).map((to, i) => slicePiece(piece, cuts[i]!, to));
  };
}

/** Cuts where the script changes; spaces have none, and Japanese is one (SentencePiece's rule). */
const unicodeScripts: PreTokenizer = (piece) => {
  const cuts: number[] = [];
  let last: string | undefined;
  let at = 0;
  for (const char of piece.text) {
    const script = char === ' ' ? '' : scriptOf(char.codePointAt(0)!);
    if (script !== '' && last !== script) cuts.push(at);
    if (script !== '') last = script;
    at += char.length;
  }
  cuts.push(piece.text.length);
  return cuts.slice(1).map((to, i) => slicePiece(piece, cuts[i]!, to));
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
