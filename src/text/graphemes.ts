import { BREAK_NAMES, BREAK_RUNS } from './grapheme-data.js';

// Grapheme clusters (UAX 29) by tables of our own, of Unicode 17.0 as in Rust's tokenizers. JavaScript engines differ in version, and not
// all have Intl.Segmenter.

type Class =
  | 'Control' | 'LF' | 'CR' | 'Other' | 'Picture' | 'Extend' | 'Prepend' | 'SpacingMark' | 'Consonant' | 'ExtendLinker' | 'L' | 'V' | 'T'
  | 'ExtendNone' | 'ZWJ' | 'LV' | 'LVT' | 'Regional_Indicator';

let known: { ends: number[]; classes: Class[] } | undefined;

function readRuns(): { ends: number[]; classes: Class[] } {
  const names = BREAK_NAMES.split(' ') as Class[];
  const runs = { ends: [] as number[], classes: [] as Class[] };
  let end = 0;
  for (const { 1: sign, 2: length } of BREAK_RUNS.matchAll(/([A-Z])([0-9a-z]*)/g)) {
    runs.ends.push((end += length ? Number.parseInt(length, 36) : 1));
    runs.classes.push(names[sign!.charCodeAt(0) - 65]!);
  }
  return runs;
}

function classOf(code: number): Class {
  if (code >= 0x20 && code < 0x7f) return 'Other';
  if (code >= 0xac00 && code < 0xac00 + 11172 && (code - 0xac00) % 28) return 'LVT';
  const { ends, classes } = (known ??= readRuns());
  let [low, high] = [0, ends.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ends[middle]! <= code) low = middle + 1;
    else high = middle;
  }
  return classes[low]!;
}

const LETTERS: Partial<Record<Class, readonly Class[]>> = { L: ['L', 'V', 'LV', 'LVT'], LV: ['V', 'T'], V: ['V', 'T'], LVT: ['T'], T: ['T'] };
const isBreaking = (one: Class): boolean => one === 'Control' || one === 'CR' || one === 'LF';
const extendsIt = (one: Class): boolean => one === 'Extend' || one === 'ExtendLinker' || one === 'ExtendNone' || one === 'ZWJ';

/** What the rules remember of a cluster so far. */
class Cluster {
  private last: Class = 'Control';
  private flags = 0;
  /** A picture with what extends it, and then a joiner. */
  private picture: 'none' | 'open' | 'joined' = 'none';
  private conjunct: 'none' | 'consonant' | 'linked' = 'none';

  /** Takes the next character; is it the first of a cluster? */
  take(next: Class): boolean {
    const starts = !this.joins(next);
    this.flags = next === 'Regional_Indicator' ? (starts ? 1 : this.flags + 1) : 0;
    this.picture = this.nextPicture(next);
    this.conjunct = this.nextConjunct(next, starts);
    this.last = next;
    return starts;
  }

  private joins(next: Class): boolean {
    const { last } = this;
    if (last === 'CR' && next === 'LF') return true;
    if (isBreaking(last) || isBreaking(next)) return false;
    if (extendsIt(next) || next === 'SpacingMark' || last === 'Prepend' || LETTERS[last]?.includes(next)) return true;
    if (next === 'Consonant') return this.conjunct === 'linked';
    if (next === 'Picture') return this.picture === 'joined';
    return next === 'Regional_Indicator' && last === 'Regional_Indicator' && this.flags % 2 === 1;
  }

  private nextPicture(next: Class): 'none' | 'open' | 'joined' {
    if (next === 'Picture') return 'open';
    if (this.picture !== 'open' || !extendsIt(next)) return 'none';
    return next === 'ZWJ' ? 'joined' : 'open';
  }

  private nextConjunct(next: Class, starts: boolean): 'none' | 'consonant' | 'linked' {
    if (next === 'Consonant') return 'consonant';
    if (starts || this.conjunct === 'none') return 'none';
    if (next === 'ExtendLinker') return 'linked';
    return next === 'Extend' || next === 'ZWJ' ? this.conjunct : 'none';
  }
}

const FREE: ReadonlySet<Class> = new Set(['Other', 'Control', 'LF', 'CR']);

/** Does a cluster end between these two, whatever is before them? Not asked of all that could tell: of what most texts are made. */
export const breaksBetween = (previous: number, next: number): boolean => previous !== 0xd && FREE.has(classOf(previous)) && FREE.has(classOf(next));

/** The clusters of a text, in order. */
export function* graphemes(text: string): Iterable<string> {
  const cluster = new Cluster();
  let [from, plain] = [0, false];
  for (let at = 0; at < text.length; ) {
    const code = text.codePointAt(at)!;
    const wasPlain = plain;
    plain = code >= 0x20 && code < 0x7f;
    // Of two in a row the second changes nothing that the rules remember.
    if (((plain && wasPlain) || cluster.take(classOf(code))) && at > from) {
      yield text.slice(from, at);
      from = at;
    }
    at += code > 0xffff ? 2 : 1;
  }
  if (from < text.length) yield text.slice(from);
}
