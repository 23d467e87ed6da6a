/** FNV-1a, 64 bits, over 32-bit words. */
export function hashWords(words: Uint32Array, state = 0xcbf29ce484222325n): bigint {
  return words.reduce((hash, word) => BigInt.asUintN(64, (hash ^ BigInt(word)) * 0x100000001b3n), state);
}
