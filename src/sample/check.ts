import { plain, StonechatError } from '../errors.js';

/** The largest number that logits can be. */
export const MOST = (2 - 2 ** -23) * 2 ** 127;

/** A logit within what 32 bits hold: what was finite stays so. -Infinity, which forbids an id, stays too. */
export const clamped = (logit: number): number => (logit > MOST ? MOST : logit < -MOST && logit > -Infinity ? -MOST : logit);

/** @throws StonechatError `bad-option` unless the argument of a sampler lies in its range. */
export function checkRange(sampler: string, value: unknown, least: number, most: number): void {
  if (typeof value === 'number' && value >= least && value <= most) return;
  const range = most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`;
  refuse(`${sampler} to be given a number ${range}`, value);
}

export function refuse(expected: string, found: unknown): never {
  throw new StonechatError({ code: 'bad-option', expected, found: plain(found), remedy: 'See docs/generation.md for the samplers.' });
}
