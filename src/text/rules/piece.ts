import { checkGrowth } from '../growth.js';
import type { Behaviour } from '../split.js';

/** [start, end) in UTF-16 units. */
export type Span = readonly [number, number];
/** Where a pattern matches: in order, without overlap; empty matches too. */
export type Finder = (text: string) => Span[];

/**
 * A part of the text on its way through the rules.
 *   start    where it was cut out of the text that the user gave
 *   origins  for each unit, where the character that it comes from begins there; only if a rule asks (Metaspace's "first")
 */
export interface Piece {
  readonly text: string;
  readonly start: number;
  readonly origins?: readonly number[];
}

export function wholePiece(text: string, start: number, tracked: boolean): Piece {
  return tracked ? { text, start, origins: Array.from({ length: text.length }, (_, i) => start + i) } : { text, start };
}

/** The part [from, to) of a piece, cut out. */
export function slicePiece({ text, start, origins }: Piece, from: number, to: number): Piece {
  const part = text.slice(from, to);
  return origins ? { text: part, start: origins[from] ?? start, origins: origins.slice(from, to) } : { text: part, start };
}

/** Other text in the place of the spans; what is new comes from where the span's last character does. */
export function replaceSpans({ text, start, origins }: Piece, spans: readonly Span[], content: string): Piece {
  checkGrowth(text.length, text.length + spans.length * content.length);
  let out = '';
  let done = 0;
  const moved: number[] = [];
  for (const [from, to] of spans) {
    out += text.slice(done, from) + content;
    if (origins) pushAll(moved, origins, done, from);
    if (origins) for (let i = 0; i < content.length; i++) moved.push(to ? origins[to - 1]! : start);
    done = to;
  }
  out += text.slice(done);
  if (!origins) return { text: out, start };
  pushAll(moved, origins, done, text.length);
  return { text: out, start, origins: moved };
}

function pushAll(list: number[], from: readonly number[], start: number, end: number): void {
  for (let i = start; i < end; i++) list.push(from[i]!);
}

/** The same text function on every segment by itself where origins are kept: what a segment becomes comes from its beginning. */
export function rewritePiece(piece: Piece, rewrite: (text: string) => string, segments: RegExp): Piece {
  const { text, start, origins } = piece;
  const whole = rewrite(text);
  if (whole === text) return piece;
  if (!origins) return { text: whole, start };
  const moved: number[] = [];
  for (const { 0: segment, index } of text.matchAll(segments)) {
    const made = rewrite(segment);
    for (let i = 0; i < made.length; i++) moved.push(origins[made === segment ? index + i : index]!);
  }
  return { text: whole, start, origins: moved.length === whole.length ? moved : fitted(moved, whole.length) };
}

/** Segments that changed each other: the origins at the front, which alone are asked for, are right. */
const fitted = (origins: readonly number[], length: number): number[] => Array.from({ length }, (_, i) => origins[Math.min(i, origins.length - 1)]!);

/** Something put in front of a piece that is not empty. */
export function prependTo(piece: Piece, content: string): Piece {
  const { text, start, origins } = piece;
  if (!text) return piece;
  return origins ? { text: content + text, start, origins: [...Array.from({ length: content.length }, () => origins[0]!), ...origins] } : { text: content + text, start };
}

type Part = { from: number; to: number; match: boolean };

/** The matches and what lies between them, all of the text. Empty text is one part. */
function partsOf(text: string, find: Finder, invert: boolean): Part[] {
  if (!text) return [{ from: 0, to: 0, match: invert }];
  const parts: Part[] = [];
  let done = 0;
  for (const [from, to] of find(text)) {
    if (from > done) parts.push({ from: done, to: from, match: invert });
    parts.push({ from, to, match: !invert });
    done = to;
  }
  if (done < text.length) parts.push({ from: done, to: text.length, match: invert });
  return parts;
}

/** Cuts a piece at the matches, which become what the behaviour says. Nothing empty is left. */
export function splitPiece(piece: Piece, find: Finder, behaviour: Behaviour, invert = false): Piece[] {
  const parts = partsOf(piece.text, find, invert);
  if (parts.length === 1 && !(parts[0]!.match && behaviour === 'removed')) return piece.text ? [slicePiece(piece, 0, piece.text.length)] : [];
  const kept = behaviour === 'removed' ? parts.filter(({ match }) => !match) : merged(parts, behaviour);
  return kept.filter(({ from, to }) => to > from).map(({ from, to }) => slicePiece(piece, from, to));
}

function merged(parts: readonly Part[], behaviour: Behaviour): Part[] {
  if (behaviour === 'isolated') return [...parts];
  const backward = behaviour === 'mergedWithNext';
  const out: Part[] = [];
  let previous = false;
  for (const part of backward ? parts.toReversed() : parts) {
    const last = out.at(-1);
    const joins = behaviour === 'contiguous' ? part.match === previous : part.match && !previous;
    if (joins && last) {
      if (backward) last.from = part.from;
      else last.to = part.to;
    } else out.push({ ...part });
    previous = part.match;
  }
  return backward ? out.reverse() : out;
}
