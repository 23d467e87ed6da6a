import { type MayCut, rewriteInTurns, type Turns } from './turns.js';

/** A step from a text to another one. */
export interface Normaliser {
  (text: string): string;
  /** The same with turns in between, for long texts. */
  inTurns?(text: string): Turns<string>;
}

/** One that makes of the parts of a text what it makes of the whole. `mayCut`: where there are such parts; default everywhere. */
export const local = (rewrite: (text: string) => string, mayCut?: MayCut): Normaliser =>
  Object.assign((text: string) => rewrite(text), { inTurns: (text: string) => rewriteInTurns(text, rewrite, mayCut) });

/** BERT's word boundaries: what is punctuation stands alone. */
export const BERT_PUNCTUATION = '[!-/:-@\\[-`{-~\\p{P}]';
export const SPACES = '\\s+';

const trimmed = (text: string): string => text.slice(text[0] === ' ' ? 1 : 0, text.length > 1 && text.at(-1) === ' ' ? -1 : undefined);
const runsToOne = local((text) => text.replace(/ +/g, ' '), (_, next) => next !== 0x20);

/** SentencePiece's treatment of spaces, after its character map: runs become one and the ends are trimmed if `merge`. */
export const mergeSpaces: Normaliser = Object.assign((text: string) => trimmed(runsToOne(text)), {
  *inTurns(text: string): Turns<string> {
    return trimmed(yield* runsToOne.inTurns!(text));
  },
});

/** Spaces as U+2581. */
export const markSpaces: Normaliser = local((text) => text.replaceAll(' ', '\u2581'));
/** … and the other way. */
export const unmarkSpaces: Normaliser = local((text) => text.replaceAll('\u2581', ' '));
