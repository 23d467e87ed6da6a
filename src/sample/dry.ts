import type { SequenceBreakers } from './breakers.js';
import type { Candidates } from './candidates.js';
import type { History, Sampler } from './types.js';

/** What `dry` takes. */
export interface Dry {
  /** 0 is off. Default 0.8. */
  readonly multiplier?: number;
  /** Default 1.75. */
  readonly base?: number;
  /** Repetitions shorter than this cost nothing. Default 2. */
  readonly allowedLength?: number;
  /** How many of the latest ids are looked at; -1 all. Default 64. */
  readonly penaltyLastN?: number;
  /** Where repetitions end: `sequenceBreakers(model.tokenizer, ['\n', ':'])`. Default: nowhere. */
  readonly breakers?: SequenceBreakers;
}

const NONE: SequenceBreakers = new Map();
/** Log of the largest f32: where llama.cpp stops to raise the base. */
const LOG_MOST = 88.7228391;

/**
 * Don't repeat yourself (pi6am's, as in llama.cpp): an id that would go on with a sequence that stood there before is made
 * less likely, by multiplier * base ^ (length of the sequence - allowedLength).
 */
export function dry(given: Dry): Sampler {
  const { multiplier = 0.8, base = 1.75, allowedLength = 2, penaltyLastN = 64, breakers = NONE } = given;
  const isBreaker = (id: number) => breakers.get(id)?.some((tail) => tail.length === 0);

  return (candidates, history) => {
    const latest = newestFirst(history, penaltyLastN);
    if (multiplier === 0 || latest.length <= allowedLength) return;
    const reach = untilBreaker(latest, breakers);
    if (reach < allowedLength) return;
    for (const [id, length] of repeated(latest, reach, allowedLength)) {
      const at = isBreaker(id) ? -1 : candidates.find(id);
      if (at >= 0) candidates.add(at, -multiplier * power(candidates, base, length - allowedLength));
    }
    candidates.changed();
  };
}

function newestFirst({ ids, length }: History, most: number): Int32Array {
  return ids.slice(most < 0 ? 0 : Math.max(0, length - most), length).reverse();
}

/** How many ids stand behind the latest breaker; all, where there is none. */
function untilBreaker(latest: Int32Array, breakers: SequenceBreakers): number {
  for (let at = 0; at < latest.length; at++) {
    const tails = breakers.get(latest[at]!) ?? [];
    const found = tails.filter((tail) => tail.length <= at && tail.every((id, i) => id === latest[at - 1 - i]));
    if (found.length > 0) return at - Math.max(...found.map((tail) => tail.length));
  }
  return latest.length;
}

/**
 * By the id that followed: the longest of the sequences that end the text and stood there before, `most` at most, if it has
 * `least` ids or more.
 */
function repeated(latest: Int32Array, most: number, least: number): Map<number, number> {
  const longest = new Map<number, number>();
  prefixesAgain(latest).forEach((length, at) => {
    if (at === 0) return;
    const counted = Math.min(length, most);
    const id = latest[at - 1]!;
    if (counted >= least && counted > (longest.get(id) ?? -1)) longest.set(id, counted);
  });
  return longest;
}

/** For each position: how many ids from there on are those at the beginning (the Z function; linear). */
function prefixesAgain(ids: Int32Array): Int32Array {
  const lengths = new Int32Array(ids.length);
  // [start, end): the match found so far that reaches furthest.
  for (let at = 1, start = 0, end = 0; at < ids.length; at++) {
    let length = at < end ? Math.min(end - at, lengths[at - start]!) : 0;
    while (at + length < ids.length && ids[length] === ids[at + length]) length++;
    lengths[at] = length;
    if (at + length > end) [start, end] = [at, at + length];
  }
  return lengths;
}

/** base ^ exponent within 32 bits, by squaring: the same on every engine. */
function power(candidates: Candidates, base: number, exponent: number): number {
  const most = base > 1.000001 ? Math.trunc(LOG_MOST / candidates.log(base)) : 0;
  let result = 1;
  for (let left = most > 0 ? Math.min(exponent, most) : exponent, square = base; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result *= square;
    square *= square;
  }
  return result;
}
