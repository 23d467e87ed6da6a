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

/** Class bytes of the 256 code points from `page` * 256 on, by this engine's Unicode tables. */
export function classPage(page: number): Uint8Array {
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
