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
export type Step = (piece: string, first: boolean) => string[];

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

/** Cuts at the matches of a global pattern. `invert`: what lies between the matches is what is cut out. */
export function cut(pattern: RegExp, behaviour: Behaviour = 'isolated', invert = false): Step {
  return (piece) => {
    const parts = matchesAndGaps(pattern, piece);
    if (invert) for (const part of parts) part.match = !part.match;
    return join(parts, behaviour);
  };
}

interface Part {
  text: string;
  match: boolean;
}

function matchesAndGaps(pattern: RegExp, piece: string): Part[] {
  const parts: Part[] = [];
  let done = 0;
  pattern.lastIndex = 0;
  for (let found = pattern.exec(piece); found; found = pattern.exec(piece)) {
    const end = found.index + found[0].length;
    if (found.index > done) parts.push({ text: piece.slice(done, found.index), match: false });
    if (end > found.index) parts.push({ text: found[0], match: true });
    else pattern.lastIndex += (piece.codePointAt(end) ?? 0) > 0xffff ? 2 : 1;
    done = end;
  }
  if (done < piece.length) parts.push({ text: piece.slice(done), match: false });
  return parts;
}

function join(parts: readonly Part[], behaviour: Behaviour): string[] {
  if (behaviour === 'isolated') return parts.map(({ text }) => text);
  if (behaviour === 'removed') return parts.flatMap(({ text, match }) => (match ? [] : [text]));
  const out: string[] = [];
  parts.forEach(({ text, match }, i) => {
    const before = i > 0 ? parts[i - 1]!.match : undefined;
    const glued = behaviour === 'contiguous' ? before === match : behaviour === 'mergedWithPrevious' ? match && before === false : before === true && !match;
    if (glued) out[out.length - 1] += text;
    else out.push(text);
  });
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
