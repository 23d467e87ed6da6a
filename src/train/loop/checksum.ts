/** Whole numbers that mix bits well: odd, of MurmurHash3. */
const FIRST = 0xcc9e2d51, SECOND = 0x1b873593;

/** 64 bits that tell of damage (not of intent), as 16 hexadecimal digits: two lanes of 32-bit words, multiplied and rotated. */
export function checksum(bytes: Uint8Array): string {
  let [a, b] = [0x9747b28c, bytes.length | 0];
  const whole = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const words = new Uint32Array(whole.buffer, whole.byteOffset, whole.length >>> 2);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    a = Math.imul(((a << 13) | (a >>> 19)) ^ word, FIRST);
    b = Math.imul(((b << 15) | (b >>> 17)) + word, SECOND) ^ a;
  }
  for (const byte of whole.subarray(words.length * 4)) {
    a = Math.imul(((a << 13) | (a >>> 19)) ^ byte, FIRST);
    b = Math.imul(((b << 15) | (b >>> 17)) + byte, SECOND) ^ a;
  }
  return [a ^ (b >>> 16), b ^ (a >>> 13)].map((lane) => (lane >>> 0).toString(16).padStart(8, '0')).join('');
}
