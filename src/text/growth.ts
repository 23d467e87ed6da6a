import { StonechatError } from '../errors.js';

/** Normalisers make of a character at most 18 (U+FDFA under NFKC). */
const TIMES = 32;
/** Short texts may grow more. */
const FREE = 1 << 16;

/** A rule may make a text longer, not without end: twenty rules `a` to `aaaa` would make 4^20 of one. @throws StonechatError `unsupported`. */
export function checkGrowth(before: number, after: number): void {
  if (after <= before * TIMES + FREE) return;
  throw new StonechatError({
    code: 'unsupported',
    expected: `rules of a tokenizer that make a text at most ${TIMES} times as long`,
    found: `${after} characters of ${before}`,
    remedy: 'Do not use this tokenizer: its rules are damaged, or meant to take all memory.',
  });
}

/** What the lengths of a vocabulary's tokens cost in a text: so many steps of search for a character on average, and as many at once as this. */
const STEPS = 512;
const FREE_STEPS = 1 << 24;

/** Counts steps of search; real vocabularies take some ten a character. @throws StonechatError `unsupported`. */
export class Effort {
  private steps = 0;

  /** `steps` were taken up to character `at`. */
  spend(steps: number, at: number): void {
    this.steps += steps;
    if (this.steps <= at * STEPS + FREE_STEPS) return;
    throw new StonechatError({
      code: 'unsupported',
      expected: `a vocabulary that takes at most ${STEPS} steps of search a character`,
      found: `${this.steps} for ${at} characters`,
      remedy: 'Do not use this tokenizer: thousands of its tokens begin each other.',
    });
  }
}
