import type { Turns } from './turns.js';

/** Something that is found in text. */
export interface Pattern {
  readonly source: string;
  /** Beginnings and ends of all matches in UTF-16 units, one after the other; in time that grows with the text alone. */
  spans(text: string): readonly number[];
  /** The same with turns in between, for long texts. */
  spansInTurns?(text: string): Turns<readonly number[]>;
}
