/** A set of code points: sorted ends of half-open ranges, [from, to, from, to, …]. */
export type CodeSet = readonly number[];

/** One more than the last code point. */
export const CODES = 0x110000;
export const EVERYTHING: CodeSet = [0, CODES];

export const single = (code: number): CodeSet => [code, code + 1];
export const range = (first: number, last: number): CodeSet => [first, last + 1];

/** Walks along both sets at once; `keep` says which of (in a, in b) belong to the result. */
function combine(a: CodeSet, b: CodeSet, keep: (inA: boolean, inB: boolean) => boolean): CodeSet {
  const out: number[] = [];
  let [i, j, inside] = [0, 0, false];
  while (i < a.length || j < b.length) {
    const at = Math.min(a[i] ?? CODES, b[j] ?? CODES);
    while (a[i] === at) i++;
    while (b[j] === at) j++;
    const now = keep((i & 1) === 1, (j & 1) === 1);
    if (now !== inside) out.push(at);
    inside = now;
  }
  return out;
}

export const union = (a: CodeSet, b: CodeSet): CodeSet => (a.length === 0 ? b : b.length === 0 ? a : combine(a, b, (x, y) => x || y));
export const intersection = (a: CodeSet, b: CodeSet): CodeSet => combine(a, b, (x, y) => x && y);
export const complement = (a: CodeSet): CodeSet => combine(a, EVERYTHING, (x, y) => y && !x);

/** The union of many ranges, given in any order. */
export function unionOf(ranges: readonly (readonly [number, number])[]): CodeSet {
  const out: number[] = [];
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0])) {
    if (out.length && from <= out.at(-1)!) out[out.length - 1] = Math.max(out.at(-1)!, to);
    else out.push(from, to);
  }
  return out;
}

/** How many ends of ranges are at or before the code point: it is in the set when that is odd. */
export function endsBefore(set: CodeSet, code: number): number {
  let [low, high] = [0, set.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (set[middle]! <= code) low = middle + 1;
    else high = middle;
  }
  return low;
}

export const has = (set: CodeSet, code: number): boolean => (endsBefore(set, code) & 1) === 1;

/** `has` for many questions: what lies on the first plane is written out. */
export function tester(set: CodeSet): (code: number) => boolean {
  const inside = new Uint8Array(0x10000);
  for (let i = 0; i < set.length && set[i]! < 0x10000; i += 2) inside.fill(1, set[i], set[i + 1]);
  return (code) => (code < 0x10000 ? inside[code] === 1 : has(set, code));
}

/** What is in one of two sets only. */
export const difference = (a: CodeSet, b: CodeSet): CodeSet => combine(a, b, (x, y) => x !== y);
