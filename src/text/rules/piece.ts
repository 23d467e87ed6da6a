import { checkGrowth } from '../growth.js';
import type { Pattern } from '../pattern.js';
import { type Behaviour, GROUP, keptSpans } from '../split.js';
import { atOnce, type MayCut, rewriteInTurns, type Turns } from '../turns.js';

/**
 * A part of the text on its way through the rules.
 *   opens   it was cut out of the text where that begins
 *   first   how many of its units come from the first character of the text: Metaspace's "first" asks for it
 */
export interface Piece {
  readonly text: string;
  readonly opens: boolean;
  readonly first: number;
}

/** One step of rewriting, and of splitting; with turns in between where a piece is long. */
export type Rewrite = (piece: Piece) => Turns<Piece>;
export type Split = (piece: Piece) => Turns<Piece[]>;

export const wholePiece = (text: string, start: number): Piece => ({ text, opens: start === 0, first: start === 0 ? Math.min(1, text.length) : 0 });

/** The part [from, to) of a piece, cut out. */
export const slicePiece = ({ text, opens, first }: Piece, from: number, to: number): Piece =>
  ({ text: text.slice(from, to), opens: from < text.length ? from < first : opens, first: Math.max(0, Math.min(to, first) - from) });

/** Where the spans lie, of a long text in turns. */
export const spansOf = (pattern: Pattern, text: string): Turns<readonly number[]> => (text.length > GROUP && pattern.spansInTurns ? pattern.spansInTurns(text) : noTurns(pattern.spans(text)));
// oxlint-disable-next-line require-yield -- there is nothing to wait for
function* noTurns<Made>(made: Made): Turns<Made> {
  return made;
}

/** Other text in the place of the spans; what is new comes from where the span's last character does. */
export function* replaceSpans({ text, opens, first }: Piece, spans: readonly number[], content: string): Turns<Piece> {
  checkGrowth(text.length, text.length + (spans.length / 2) * content.length);
  const parts: string[] = [];
  let [part, done, moved] = ['', 0, 0];
  for (let i = 0; i < spans.length; i += 2) {
    const [from, to] = [spans[i]!, spans[i + 1]!];
    part += text.slice(done, from) + content;
    moved += Math.max(0, Math.min(from, first) - done) + ((to ? to <= first : opens) ? content.length : 0);
    done = to;
    if (i % GROUP !== GROUP - 2) continue;
    parts.push(part);
    part = '';
    yield done;
  }
  parts.push(part + text.slice(done));
  return { text: parts.join(''), opens, first: moved + Math.max(0, first - done) };
}

/** The same text function on all of a piece; `segment`: where the segment ends whose beginning is where all that it becomes comes from. */
export function* rewritePiece(piece: Piece, rewrite: (text: string) => string, segment: (text: string, at: number) => number, mayCut?: MayCut): Turns<Piece> {
  const { text, opens, first } = piece;
  const whole = yield* rewriteInTurns(text, rewrite, mayCut);
  if (whole === text) return piece;
  let moved = 0;
  for (let at = 0; at < first; ) {
    const end = segment(text, at);
    const own = text.slice(at, end);
    const made = rewrite(own);
    moved += made === own ? Math.min(end, first) - at : made.length;
    at = end;
  }
  return { text: whole, opens, first: Math.min(moved, whole.length) };
}

/** Something put in front of a piece that is not empty. */
export const prependTo = (piece: Piece, content: string): Piece =>
  piece.text ? { text: content + piece.text, opens: piece.opens, first: piece.first && piece.first + content.length } : piece;

/** Cuts a piece at the matches, which become what the behaviour says. Nothing empty is left. */
export function* splitPiece(piece: Piece, pattern: Pattern, behaviour: Behaviour, invert = false): Turns<Piece[]> {
  const spans = piece.text.length > GROUP ? yield* spansOf(pattern, piece.text) : pattern.spans(piece.text);
  if (!spans.length && !(invert && behaviour === 'removed')) return piece.text ? [slicePiece(piece, 0, piece.text.length)] : [];
  const kept = yield* keptSpans(spans, piece.text.length, behaviour, invert);
  const pieces: Piece[] = [];
  for (let i = 0; i < kept.length; i += 2) {
    pieces.push(slicePiece(piece, kept[i]!, kept[i + 1]!));
    if (i % GROUP === GROUP - 2) yield kept[i]!;
  }
  return pieces;
}

/** All that a step makes of pieces, with a turn now and then. */
export function* splitAll(split: Split, pieces: readonly Piece[]): Turns<Piece[]> {
  const out: Piece[] = [];
  let [done, turn] = [0, 0];
  for (const piece of pieces) {
    const parts = piece.text.length > GROUP ? yield* split(piece) : atOnce(split(piece));
    for (const part of parts) out.push(part);
    done += piece.text.length;
    if (done - turn > GROUP) yield (turn = done);
  }
  return out;
}
