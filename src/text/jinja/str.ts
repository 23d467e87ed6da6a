import { meter, spend, work } from './meter.js';

const PAIR = /[\ud800-\udbff][\udc00-\udfff]/;

/**
 * A text that knows where its characters come from: `m` is as long as `s` and has a 1 for each unit that stood in a
 * message, 0 for the template's own; '' is all 0. Indices are Python's (code points) unless they are called units.
 */
export class Str {
  private units: number[] | null | undefined;

  constructor(
    readonly s: string,
    readonly m: string = '',
    /** MarkupSafe's Markup. */
    readonly safe = false,
  ) {}

  /** Where each code point begins, if some have two units. */
  private get starts(): number[] | null {
    if (this.units !== undefined) return this.units;
    work(this.s.length);
    if (!PAIR.test(this.s)) return (this.units = null);
    this.units = [];
    let at = 0;
    for (const point of this.s) {
      this.units.push(at);
      at += point.length;
    }
    this.units.push(at);
    return this.units;
  }

  get length(): number {
    const { starts } = this;
    return starts ? starts.length - 1 : this.s.length;
  }

  unit(point: number): number {
    return this.starts?.[point] ?? point;
  }

  /** The code point that begins at a unit. */
  point(unit: number): number {
    return this.starts?.indexOf(unit) ?? unit;
  }

  /** Between units. */
  cut(start: number, end = this.s.length): Str {
    return new Str(this.s.slice(start, end), this.m && this.m.slice(start, end), this.safe);
  }

  slice(start: number, end = this.length): Str {
    return this.cut(this.unit(start), this.unit(Math.max(start, end)));
  }

  /** Its code points. */
  chars(): Str[] {
    work(this.s.length);
    spend(this.s.length);
    let at = 0;
    return Array.from(this.s, (point) => this.cut(at, (at += point.length)).as(false));
  }

  /** The same characters as markup or not. */
  as(safe: boolean): Str {
    return this.safe === safe ? this : new Str(this.s, this.m, safe);
  }

  /** Another text in place of this, all of it from messages if any of this is. */
  turned(s: string): Str {
    return new Str(s, this.m.includes('1') ? '1'.repeat(s.length) : '', this.safe);
  }

  /** A mask of its whole length. */
  get mask(): string {
    return this.m || '0'.repeat(this.s.length);
  }
}

export const str = (s: string): Str => new Str(s);
export const EMPTY = str('');

/** One text of many; engines keep such as ropes, so that only the shorter parts are work. */
export function concat(parts: readonly Str[]): Str {
  let [total, longest] = [0, 0];
  let marked = false;
  for (const { s, m } of parts) {
    total += s.length;
    longest = Math.max(longest, s.length);
    marked ||= m !== '';
  }
  meter().room(total);
  work(total - longest);
  if (parts.length === 1) return parts[0]!;
  return new Str(parts.map(({ s }) => s).join(''), marked ? parts.map(({ mask }) => mask).join('') : '');
}

export function joined(parts: readonly Str[], between: Str): Str {
  if (!between.s) return concat(parts);
  return concat(parts.flatMap((part, i) => (i ? [between, part] : [part])));
}

export function repeated({ s, m, safe }: Str, times: number): Str {
  if (times <= 0 || !s) return new Str('', '', safe);
  work(s.length * times);
  return new Str(s.repeat(times), m.repeat(times), safe);
}

/** What `pattern` (global) finds is replaced by what `change` makes of it; the rest stays as it is. */
export function rewrite(text: Str, pattern: RegExp, change: (found: string) => string): Str {
  work(text.s.length);
  if (!text.m) {
    const s = text.s.replace(pattern, change);
    work(s.length);
    return new Str(s, '', text.safe);
  }
  const parts: Str[] = [];
  let done = 0;
  for (const { 0: found, index } of text.s.matchAll(pattern)) {
    parts.push(text.cut(done, index), text.cut(index, index + found.length).turned(change(found)));
    done = index + found.length;
  }
  spend(parts.length);
  return concat([...parts, text.cut(done)]).as(text.safe);
}

/** Python's white space, for a class in a pattern. */
export const WS = '\\t-\\r\\x1c- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';

const SPACES = new Set('\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000');

/** Where the white space at the end of a text begins. A pattern would look at each run of it again and again. */
export function trimmedEnd(s: string): number {
  let end = s.length;
  while (end > 0 && SPACES.has(s[end - 1]!)) end--;
  return end;
}
