/**
 * GPT-2's byte alphabet: a printable character for each byte. Printable Latin-1 stands for itself, the other 68 bytes,
 * in order, for U+0100 and up. (Radford et al. 2019, encoder.py `bytes_to_unicode`.)
 */
const printable = (byte: number) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;

function letters(): number[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => (printable(byte) ? byte : next++));
}

/** Code unit of the character that stands for each byte. */
export const BYTE_LETTERS: readonly number[] = letters();

/** The byte of each character below U+0180, 0xffff where there is none: 384 entries. */
export const LETTER_BYTES: Uint16Array = (() => {
  const table = new Uint16Array(384).fill(0xffff);
  BYTE_LETTERS.forEach((letter, byte) => (table[letter] = byte));
  return table;
})();

export const bytesToLetters = (bytes: Uint8Array): string => {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(BYTE_LETTERS[byte]!);
  return text;
};
