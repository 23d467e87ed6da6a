import { markSpaces } from './normalise.js';
import type { Pattern } from './pattern.js';
import { atOnce, type Turns } from './turns.js';

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
  const kept = (spans: readonly number[], piece: string) => keptSpans(spans, piece.length, behaviour, invert);
  const step: Step = (piece) => {
    const spans = pattern.spans(piece);
    if (behaviour === 'isolated') return isolate(spans, piece);
    const made = atOnce(kept(spans, piece));
    return Array.from({ length: made.length / 2 }, (_, i) => piece.slice(made[2 * i], made[2 * i + 1]));
  };
  step.inTurns = function* (piece) {
    const spans = pattern.spansInTurns ? yield* pattern.spansInTurns(piece) : pattern.spans(piece);
    const made = yield* kept(spans, piece);
    const out: string[] = [];
    for (let i = 0; i < made.length; i += 2) {
      out.push(piece.slice(made[i], made[i + 1]));
      if (i % GROUP === 0) yield made[i]!;
    }
    return out;
  };
  return step;
}

/** Does not cut: spaces become U+2581, with a prefix before all of them. */
export const marking = (prefix: (text: string) => string): Step => Object.assign((piece: string) => [prefix(piece) + markSpaces(piece)], {
  *inTurns(piece: string): Turns<string[]> {
    return [prefix(piece) + (yield* markSpaces.inTurns!(piece))];
  },
});

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

/** So much is cut without a turn. */
export const GROUP = 1 << 14;

/** Does a part join the one before it? Matches and what lies between them, empty matches too: they decide, as in Python's tokenizers. */
const JOINS: Record<Behaviour, (before: boolean, match: boolean) => boolean> = {
  isolated: () => false,
  removed: () => false,
  // A match goes to what is before it unless that is a match, or there is nothing.
  mergedWithPrevious: (before, match) => match && !before,
  mergedWithNext: (before, match) => before && !match,
  contiguous: (before, match) => before === match,
};

/** Where the pieces of a text lie that these matches leave: beginnings and ends, one after the other. None is empty. */
export function* keptSpans(spans: readonly number[], length: number, behaviour: Behaviour, invert: boolean): Turns<number[]> {
  const joins = JOINS[behaviour];
  const out: number[] = [];
  let open: { from: number; to: number; match: boolean } | undefined;
  const close = () => open && open.to > open.from && !(behaviour === 'removed' && open.match) && out.push(open.from, open.to);
  const add = (from: number, to: number, match: boolean) => {
    if (open && joins(open.match, match)) open.to = to;
    else {
      close();
      open = { from, to, match };
    }
    open.match = match;
  };
  let done = 0;
  for (let i = 0; i < spans.length; i += 2) {
    if (spans[i]! > done) add(done, spans[i]!, invert);
    add(spans[i]!, (done = spans[i + 1]!), !invert);
    if (i % GROUP === GROUP - 2) yield done;
  }
  if (done < length) add(done, length, invert);
  close();
  return out;
}

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
