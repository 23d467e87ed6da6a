// What tokenizers ask of Unicode: Rust's answers for every code point and for random strings, and the engine's normal forms where it knows them.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { loadForms, forms } from '../../src/text/forms.js';
import { graphemes } from '../../src/text/graphemes.js';
import { Json } from '../../src/text/json.js';
import { isBoundary, type Form } from '../../src/text/normal-forms.js';
import { loadPatterns } from '../../src/text/regex.js';
import { readNormalizer } from '../../src/text/rules/normalizers.js';
import { wholePiece } from '../../src/text/rules/piece.js';
import { preTokenize, readPreTokenizers } from '../../src/text/rules/pretokenizers.js';
import { atOnce } from '../../src/text/turns.js';
import { random } from '../files/support/random.js';

await Promise.all([loadPatterns(), loadForms()]);

interface Vectors {
  normalizers: Record<string, object>;
  pre_tokenizers: Record<string, object>;
  pages: Record<string, number[]>;
  strings: [string, ...number[]][];
}

/** STONECHAT_UNICODE: more strings of scripts/unicode-vectors.py, in a file that is not committed. */
const files = [new URL('data/unicode.json', import.meta.url).pathname, process.env.STONECHAT_UNICODE ?? ''].filter((file) => existsSync(file));
const vectors = files.map((file) => JSON.parse(readFileSync(file, 'utf8')) as Vectors);
const { normalizers, pre_tokenizers: preTokenizers, pages } = vectors[0]!;

const rules: Record<string, (text: string) => string> = {};
for (const [name, rule] of Object.entries(normalizers)) {
  const step = readNormalizer(new Json(rule, name));
  rules[name] = (text) => atOnce(step(wholePiece(text, 0))).text;
}
for (const [name, rule] of Object.entries(preTokenizers)) {
  const { steps } = readPreTokenizers(new Json(rule, name));
  rules[name] = (text) => atOnce(preTokenize(steps, wholePiece(text, 0))).map((piece) => piece.text).join('|');
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});
const utf8 = new TextEncoder();
function crc32(text: string): number {
  let value = 0xffffffff;
  for (const byte of utf8.encode(text)) value = TABLE[(value ^ byte) & 255]! ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

const isScalar = (code: number): boolean => code < 0xd800 || code >= 0xe000;
const shown = (text: string): string => Array.from(text, (char) => char.codePointAt(0)!.toString(16)).join(' ');

describe('as Python\'s tokenizers have it', () => {
  test.each(Object.keys(pages))('%s of every code point', (name) => {
    const wrong = pages[name]!.flatMap((sum, page) => {
      const codes = Array.from({ length: 4096 }, (_, i) => page * 4096 + i).filter(isScalar);
      return crc32(rules[name]!(codes.map((code) => `a${String.fromCodePoint(code)}b`).join(''))) === sum ? [] : [page];
    });
    expect(wrong).toEqual([]);
  });

  test.each(Object.keys(pages).map((name, i) => [name, i + 1] as const))('%s of random strings', (name, at) => {
    const wrong = vectors.flatMap(({ strings }) => strings.filter((row) => crc32(rules[name]!(row[0])) !== row[at]).map(([text]) => shown(text)));
    expect(wrong).toEqual([]);
  });
});

const FORMS = ['NFC', 'NFD', 'NFKC', 'NFKD'] as const satisfies readonly Form[];
/** Assigned in Unicode 9.0, whose forms every later engine keeps; the others must stay as they are. */
const isEarly = (text: string): boolean => FORMS.every((form) => forms().normalize(text, form) === text.normalize(form)) || /\p{Cn}/u.test(text);

describe('normal forms', () => {
  test('are the engine\'s for all code points but those that were assigned after 9.0', () => {
    const others: number[] = [];
    for (let code = 0; code < 0x110000; code++) if (isScalar(code) && !isEarly(String.fromCodePoint(code))) others.push(code);
    // Square Era Name Reiwa, modifier letters, outlined digits, and letters of new scripts of India and the Caucasus.
    expect(others.filter((code) => code < 0x10000 && code !== 0x32ff && code !== 0xab69 && !(code >= 0xa7f1 && code <= 0xa7f4))).toEqual([]);
    expect(others.length).toBeLessThan(200);
  });

  const parts = {
    composed: [0xc5, 0xe9, 0x1e69, 0x212b, 0x1ed5, 0x3d3, 0x958, 0xfb1d, 0x2adc, 0xf73, 0x344, 0x1f85, 0x30ac, 0xfa10, 0x2f800, 0x1d15f],
    marks: [0x300, 0x301, 0x307, 0x323, 0x327, 0x328, 0x345, 0x5b0, 0x93c, 0x94d, 0x3099, 0x302a, 0x1d165, 0x334],
    letters: [0x41, 0x64, 0x65, 0x73, 0x20, 0x915, 0x9c7, 0x9be, 0x30ab, 0x1025, 0x102e, 0x10099, 0x110ba, 0x1f600],
    hangul: [0x1100, 0x1112, 0x1113, 0x1161, 0x1175, 0x1176, 0x11a7, 0x11a8, 0x11c2, 0x11c3, 0xac00, 0xac01, 0xac1b, 0xac1c, 0xd7a3],
    compatible: [0xa0, 0xbd, 0xfb01, 0xfdfa, 0xff76, 0xff9e, 0x2460, 0x3300, 0x1d400, 0x1e9b, 0x3131, 0xffa1],
  };
  const all = Object.values(parts).flat();

  test.each(FORMS)('%s of every three of the odd characters is the engine\'s', (form) => {
    const wrong: string[] = [];
    for (const one of all) for (const two of all) for (const three of [...parts.marks, ...parts.hangul, 0x41]) {
      const text = String.fromCodePoint(one, two, three);
      if (forms().normalize(text, form) !== text.normalize(form)) wrong.push(shown(text));
    }
    expect(wrong).toEqual([]);
  });

  test.each(FORMS)('%s of random texts is the engine\'s, and so are its parts wherever it may be cut', (form) => {
    const { next } = random(7);
    const boundary = isBoundary(form);
    for (let round = 0; round < 2000; round++) {
      const text = String.fromCodePoint(...Array.from({ length: 1 + next(24) }, () => (next(3) ? all[next(all.length)]! : 0x20 + next(0x600)))).normalize(FORMS[next(4)]!);
      const whole = forms().normalize(text, form);
      if (whole !== text.normalize(form) && !/[\u0600-\u061f]/.test(text)) expect([round, shown(whole)]).toEqual([round, shown(text.normalize(form))]);
      for (let at = 1; at < text.length; at++) {
        if (!boundary(text.codePointAt(at)!) || /[\ud800-\udbff]$/.test(text.slice(0, at))) continue;
        const joined = forms().normalize(text.slice(0, at), form) + forms().normalize(text.slice(at), form);
        if (joined !== whole) expect([round, at, shown(text)]).toEqual([]);
      }
    }
  });

  test('unpaired surrogates and long runs of marks stay what they are', () => {
    expect(forms().normalize('\ud83da\u0301\udc00', 'NFC')).toBe('\ud83d\u00e1\udc00');
    const run = `e${'\u0323\u0301'.repeat(2000)}`;
    expect(forms().normalize(run, 'NFC')).toBe(run.normalize('NFC'));
    expect(forms().normalize(run, 'NFD')).toBe(run.normalize('NFD'));
  });
});

test('graphemes are those of the engine where its Unicode is ours', () => {
  const { next } = random(9);
  const odd = [0x61, 0xd, 0xa, 0x300, 0x200d, 0x200c, 0x1f468, 0x1f1e6, 0x1f1e7, 0x915, 0x94d, 0x93c, 0x1100, 0x1161, 0x11a8, 0xac00, 0xac01, 0x600, 0x903, 0xe33, 0x1f3fb, 0xad];
  const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
  for (let round = 0; round < 20_000; round++) {
    const text = String.fromCodePoint(...Array.from({ length: 1 + next(8) }, () => odd[next(odd.length)]!));
    const wanted = Array.from(segmenter.segment(text), ({ segment }) => segment);
    if (JSON.stringify([...graphemes(text)]) !== JSON.stringify(wanted)) expect([shown(text), [...graphemes(text)].map(shown)]).toEqual([shown(text), wanted.map(shown)]);
  }
});
