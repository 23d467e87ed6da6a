import { CLASS_BITS, CLASS_RUNS } from './class-runs.js';

/** Class bytes of Latin-1, which every tokenizer needs and no version of Unicode changes: [class, how many] in turn. Regular expressions take a millisecond to compile. */
const LATIN = [
  0x80, 9, 0x20, 1, 0x60, 1, 0x20, 2, 0x60, 1, 0x80, 18, 0x20, 1, 0x80, 15, 0x10, 10, 0x80, 7, 0x01, 26, 0x80, 6, 0x02, 26, 0x80, 10, 0x20, 1, 0x80, 26, 0x20, 1,
  0x80, 9, 0x04, 1, 0x80, 7, 0x10, 2, 0x80, 1, 0x02, 1, 0x80, 3, 0x10, 1, 0x04, 1, 0x80, 1, 0x10, 3, 0x80, 1, 0x01, 23, 0x80, 1, 0x01, 7, 0x02, 24, 0x80, 1, 0x02, 8,
];

/** Class bytes of the 256 code points from `page` * 256 on. */
export function classPage(page: number): Uint8Array {
  return page === 0 ? latinPage() : computePage(page);
}

function latinPage(): Uint8Array {
  const classes = new Uint8Array(256);
  for (let i = 0, at = 0; i < LATIN.length; i += 2) classes.fill(LATIN[i]!, at, (at += LATIN[i + 1]!));
  return classes;
}

/** Ends of the runs, and their class bytes; read once. */
let known: { ends: number[]; bits: number[] } | undefined;

function readRuns(): { ends: number[]; bits: number[] } {
  const runs = { ends: [] as number[], bits: [] as number[] };
  let end = 0;
  for (const { 1: sign, 2: length } of CLASS_RUNS.matchAll(/([A-Z])([0-9a-z]*)/g)) {
    runs.ends.push((end += length ? Number.parseInt(length, 36) : 1));
    runs.bits.push(CLASS_BITS[sign!.charCodeAt(0) - 65]!);
  }
  return runs;
}

/** The same by the tables of Unicode 16.0, whatever version the JavaScript engine has. */
export function computePage(page: number): Uint8Array {
  const { ends, bits } = (known ??= readRuns());
  const classes = new Uint8Array(256);
  const first = page * 256;
  for (let i = ends.findIndex((end) => end > first), at = first; at < first + 256; i++) {
    classes.fill(bits[i]!, at - first, ends[i]! - first);
    at = ends[i]!;
  }
  return classes;
}

export const PAGES = 0x110000 / 256;
