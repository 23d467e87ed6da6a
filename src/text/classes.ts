/** Runs of characters of each class bit of assembly/text/scan.ts, in its order. */
const CLASSES: readonly RegExp[] = [
  /[\p{Lu}\p{Lt}]+/gu,
  /\p{Ll}+/gu,
  /[\p{Lm}\p{Lo}]+/gu,
  /\p{M}+/gu,
  /\p{N}+/gu,
  /\p{White_Space}+/gu,
  /[\r\n]+/gu,
  /[^\p{L}\p{N}\p{White_Space}]+/gu,
];

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

/** The same by this engine's Unicode tables. */
export function computePage(page: number): Uint8Array {
  const text = String.fromCodePoint(...Array.from({ length: 256 }, (_, i) => page * 256 + i));
  const units = text.length / 256;
  const classes = new Uint8Array(256);
  CLASSES.forEach((runs, bit) => {
    for (const { 0: run, index } of text.matchAll(runs)) {
      for (let i = index / units; i < (index + run.length) / units; i++) classes[i]! |= 1 << bit;
    }
  });
  return classes;
}

export const PAGES = 0x110000 / 256;
