import { describe, expect, test } from 'vitest';
import { decodeUtf8, Utf8Reader } from '../../src/files/utf8.js';
import { expectRefusal } from './support/expect.js';
import { random } from './support/random.js';

const utf8 = (text: string) => new TextEncoder().encode(text);
const bytes = (...numbers: number[]) => Uint8Array.from(numbers);

describe('text files', () => {
  test.each([
    ['plain', 'plain'], ['\ufeffmarked', 'marked'], ['a\r\nb\r\n', 'a\nb\n'], ['a\rb', 'a\rb'], ['a\r', 'a\r'], ['\ufeff', ''], ['', ''], ['é', 'é'], ['a\ufeffb', 'a\ufeffb'], ['🐦', '🐦'],
  ])('%j', (written, read) => {
    expect(decodeUtf8(utf8(written), 't.txt')).toBe(read);
  });

  test('pieces of any length give the same text', () => {
    const text = '\ufeffGrüße, 🐦\r\n\r\nПривет\r\r\n“x”…\n'.repeat(20);
    const { next } = random(3);
    for (let round = 0; round < 200; round++) {
      const reader = new Utf8Reader('t.txt');
      const all = utf8(text);
      let read = '';
      for (let at = 0; at < all.length; ) read += reader.push(all.subarray(at, (at += 1 + next(round % 2 ? 4 : 90))));
      expect(read + reader.end()).toBe(text.slice(1).replaceAll('\r\n', '\n'));
    }
  });

  const latin1 = (text: string) => Uint8Array.from(text, (sign) => sign.charCodeAt(0));
  const wide = (text: string, big = false) => new Uint8Array(Array.from(text).flatMap((sign) => [sign.charCodeAt(0) & 255, sign.charCodeAt(0) >> 8]).map((_, i, all) => all[big ? i ^ 1 : i]!));
  test.each([
    ['Latin-1', latin1('Ein Stück Käse'), /byte fc at offset 6, as in Latin-1.*iconv -f ISO-8859-1/],
    ['Windows-1252', latin1('He said \x93hello\x94'), /byte 93 at offset 8, as in Windows-1252/],
    ['UTF-16 with a mark', bytes(0xff, 0xfe, 0x41, 0), /offset (0|3), as in UTF-16LE/],
    ['UTF-16 without', wide('Hello, world'), /byte 00 at offset 1, as in UTF-16LE/],
    ['UTF-16, big-endian', wide('Hello, world', true), /byte 00 at offset 0, as in UTF-16BE/],
    ['a model', utf8('GGUF\u0003\0\0\0'), /a GGUF model/],
    ['bytes', bytes(1, 2, 3, 4, 0xfe, 0, 7, 8), /no text/],
    ['a cut character', utf8('aé').subarray(0, 2), /byte c3 at offset 1/],
    ['an overlong form', bytes(0x61, 0xc0, 0x80), /offset 1/],
    ['half a pair', bytes(0x61, 0xed, 0xa0, 0x80), /offset 1/],
  ])('%s is refused', async (_, file, message) => {
    await expectRefusal(async () => decodeUtf8(file, 't.txt'), 'bad-file', message);
  });

  test('the offset is the file’s, whatever the pieces', async () => {
    const file = new Uint8Array(300_000).fill(0x61);
    file[250_001] = 0xe9;
    const reader = new Utf8Reader('t.txt');
    await expectRefusal(async () => {
      for (let at = 0; at < file.length; at += 65_537) reader.push(file.subarray(at, at + 65_537));
      reader.end();
    }, 'bad-file', /offset 250001/);
  });
});
