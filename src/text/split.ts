import type { Pattern } from './pattern.js';
import type { Turns } from './turns.js';

/** One of the hand-written splitters of assembly/text/scan.ts. */
export interface Scanner {
  number: number;
  flags: number;
}

export const SCAN = { whole: 0, spaces: 1, gpt2: 2, cl100k: 3, o200k: 4 } as const;
export const SCAN_FLAG = { singleDigits: 8, tailSpaces: 16, isolatedDigits: 32 } as const;

/** What becomes of a match: see Hugging Face's SplitDelimiterBehavior. */
export type Behaviour = 'removed' | 'isolated' | 'mergedWithPrevious' | 'mergedWithNext' | 'contiguous';

/** One step of pre-tokenization: a piece becomes pieces. `first`: it is the beginning of the text. */
export interface Step {
  (piece: string, first: boolean): string[];
  /** The same with turns in between, for long pieces. */
  inTurns?(piece: string, first: boolean): Turns<string[]>;
}

/** How text becomes words: by steps, and where `scanner` is given, equally (and much faster) by that. */
export interface Splitter {
  steps: readonly Step[];
  /** The steps see spaces as U+2581 (a normaliser has put them there). */
  marked?: boolean;
  scanner?: Scanner;
}

/** Before each run of spaces; the kernels see to it that no token is cut, and take the text as one word where one could be. */
export const AT_SPACES: Splitter = { steps: [], scanner: { number: SCAN.spaces, flags: 0 } };
export const WHOLE: Splitter = { steps: [], scanner: { number: SCAN.whole, flags: 0 } };

/** Cuts at the matches of a pattern. `invert`: what lies between the matches is what is cut out. */
export function cut(pattern: Pattern, behaviour: Behaviour = 'isolated', invert = false): Step {
  const drops = behaviour === 'removed' && invert;
  const pieces = (piece: string, spans: readonly number[]) => {
    if (!spans.length) return piece && !drops ? [piece] : [];
    return behaviour === 'isolated' ? isolate(spans, piece) : JOIN[behaviour](partsOf(spans, piece, invert), piece).filter((text) => text);
  };
  const step: Step = (piece) => pieces(piece, pattern.spans(piece));
  step.inTurns = function* (piece) {
    const spans = pattern.spansInTurns ? yield* pattern.spansInTurns(piece) : pattern.spans(piece);
    if (behaviour !== 'isolated' && behaviour !== 'removed') return pieces(piece, spans);
    return yield* inGroups(spans, piece, pieces);
  };
  return step;
}

/** The usual case: matches and what lies between them, all that is not empty. */
function isolate(spans: readonly number[], piece: string): string[] {
  const out: string[] = [];
  let done = 0;
  for (let i = 0; i < spans.length; i++) {
    const end = spans[i]!;
    if (end > done) out.push(piece.slice(done, end));
    done = end;
  }
  if (done < piece.length) out.push(piece.slice(done));
  return out;
}

const GROUP = 1 << 14;

/** Where nothing is joined across matches, the text up to so many matches is cut by itself. */
function* inGroups(spans: readonly number[], piece: string, pieces: (piece: string, spans: readonly number[]) => string[]): Turns<string[]> {
  const out: string[] = [];
  let from = 0;
  for (let first = 0; ; first += GROUP) {
    const last = first + GROUP >= spans.length;
    const group = spans.slice(first, first + GROUP).map((place) => place - from);
    const to = last ? piece.length : from + group.at(-1)!;
    for (const made of pieces(piece.slice(from, to), group)) out.push(made);
    if (last) return out;
    from = to;
    yield to;
  }
}

/** Matches and what lies between them, empty matches too: they decide what is joined, as in Python's tokenizers. */
interface Parts {
  ends: number[];
  match: boolean[];
}

function partsOf(spans: readonly number[], piece: string, invert: boolean): Parts {
  const parts: Parts = { ends: [], match: [] };
  let done = 0;
  const add = (end: number, match: boolean) => {
    parts.ends.push((done = end));
    parts.match.push(match !== invert);
  };
  for (let i = 0; i < spans.length; i += 2) {
    if (spans[i]! > done) add(spans[i]!, false);
    add(spans[i + 1]!, true);
  }
  if (done < piece.length) add(piece.length, false);
  return parts;
}

/** Pieces that end where `last` says so of a part. */
function glue({ ends, match }: Parts, piece: string, last: (i: number) => boolean): string[] {
  const out: string[] = [];
  let from = 0;
  for (let i = 0; i < match.length; i++) {
    if (i < match.length - 1 && !last(i)) continue;
    out.push(piece.slice(from, ends[i]));
    from = ends[i]!;
  }
  return out;
}

const JOIN: Record<Behaviour, (parts: Parts, piece: string) => string[]> = {
  isolated: (parts, piece) => glue(parts, piece, () => true),
  removed: (parts, piece) => glue(parts, piece, () => true).filter((_, i) => !parts.match[i]),
  // A match goes to what is before it unless that is a match, or there is nothing.
  mergedWithPrevious: (parts, piece) => glue(parts, piece, (i) => !(parts.match[i + 1] && !parts.match[i])),
  mergedWithNext: (parts, piece) => glue(parts, piece, (i) => !(parts.match[i] && !parts.match[i + 1])),
  contiguous: (parts, piece) => glue(parts, piece, (i) => parts.match[i] !== parts.match[i + 1]),
};

/** All steps, one after the other, on every piece. */
export function splitText(steps: readonly Step[], text: string, first: boolean): string[] {
  let pieces = text ? [text] : [];
  for (const step of steps) {
    pieces = pieces.length === 1 ? step(pieces[0]!, first) : pieces.flatMap((piece, i) => step(piece, first && i === 0));
  }
  return pieces;
}

const LONG = 1 << 15;

/** The same with turns in between. */
export function* splitInTurns(steps: readonly Step[], text: string, first: boolean): Turns<string[]> {
  let pieces = text ? [text] : [];
  for (const step of steps) {
    const made: string[] = [];
    let [done, turn] = [0, 0];
    for (let i = 0; i < pieces.length; i++) {
      const piece = pieces[i]!;
      const parts = piece.length > LONG && step.inTurns ? yield* step.inTurns(piece, first && i === 0) : step(piece, first && i === 0);
      for (const part of parts) made.push(part);
      done += piece.length;
      if (done - turn > LONG) yield (turn = done);
    }
    pieces = made;
  }
  return pieces;
}
