import { random } from '../../files/support/random.js';

/** Characters at which splitters and normalisers turn: by kind, so that short texts mix them. */
const KINDS: readonly (readonly string[])[] = [
  [...'abcdefghijklmnopqrstuvwxyz'], [...'ABCDEFGHIJ'], [...'etaoin'], [...'0123456789'], [' '], [' ', ' ', '\n'],
  ['\n', '\r', '\r\n', '\t', '\v', '\f', '\u0085', '\u00a0', '\u2028', '\u3000', '\u200b', '\ufeff'],
  ["'s", "'T", "'re", "'LL", "'ve", "'d", "'M", "'", "'\u017f", "\u2019s", "'r", "'l"],
  [...'.,!?;:()[]{}"-_/\\@#$%^&*+=<>|~`'], ['//', '...', '::', '/\n', '!\r\n', '/*'],
  [...'äöüßéñçøåþ'], [...'ÄÖÜÉÑÇŽ'], ['e\u0301', '\u0301', '\u0308', '\u0940', '\u20dd'],
  [...'привет'], [...'МИР'], [...'αβγΔ'], [...'שלום'], [...'مرحبا'], [...'नमस्ते'], [...'ไทย'],
  [...'日本語世界你好'], [...'ひらがなカタカナ'], [...'안녕하세요'], ['ǅ', 'ǈ', 'ʰ', 'ˈ', 'ª', 'º'],
  [...'٠١٢३४²½Ⅷ〇'], ['🙂', '👩‍👩‍👧', '🇩🇪', '𝒳', '𐐀', '𞤀', '💩'], ['▁', 'Ġ', '<|', '|>', '<s>', '\u0000', '\u007f'],
];

/** Seeded text of `length` draws, from all kinds of characters; runs of one kind as real text has them. */
export function randomText(seed: number, length: number): string {
  const { next, pick } = random(seed);
  let text = '';
  for (let i = 0; i < length; ) {
    const kind = pick(KINDS);
    for (let run = 1 + next(next(4) ? 3 : 9); run > 0 && i < length; run--, i++) text += pick(kind);
  }
  return text;
}
