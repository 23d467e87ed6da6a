/** Class bits of assembly/text/scan.ts, in its order; a character gets each bit whose pattern it matches. */
const CLASSES: readonly RegExp[] = [
  /[\p{Lu}\p{Lt}]/u,
  /\p{Ll}/u,
  /[\p{Lm}\p{Lo}]/u,
  /\p{M}/u,
  /\p{N}/u,
  /\p{White_Space}/u,
  /[\r\n]/u,
  /[^\p{L}\p{N}\p{White_Space}]/u,
];

/** Class bytes of the 256 code points from `page` * 256 on, by this engine's Unicode tables. */
export function classPage(page: number): Uint8Array {
  const classes = new Uint8Array(256);
  for (let i = 0; i < 256; i++) {
    const text = String.fromCodePoint(page * 256 + i);
    CLASSES.forEach((pattern, bit) => {
      if (pattern.test(text)) classes[i]! |= 1 << bit;
    });
  }
  return classes;
}

export const PAGES = 0x110000 / 256;
