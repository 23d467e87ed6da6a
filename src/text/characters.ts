import { isIn, rewriteCharacters, without } from './unicode.js';

// Rewriting by tables of our own, shared by tokenizer.json's rules and the tokenizers of GGUF. Regular expressions here name code points only:
// what the JavaScript engine knows of Unicode decides nothing.

export { toLower } from './unicode.js';

const CHINESE = /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;
const isControl = (code: number): boolean => code === 0 || code === 0xfffd;
const isLine = (code: number): boolean => code === 9 || code === 10 || code === 13;

/** Spaces around Chinese characters. */
export const spaceChinese = (text: string): string => text.replace(CHINESE, ' $& ');

/** All marks out, as the normalizer StripAccents does. */
export const stripMarks = (text: string): string => without(text, isIn('rustmark'));

/** Control characters out, white space to spaces: BERT's. `others`: the set of what goes out. */
export function cleanText(text: string, others: readonly string[] = ['rustother']): string {
  const [isSpace, tests] = [isIn('White_Space'), others.map(isIn)];
  return rewriteCharacters(text, (code) => {
    if (code >= 0x20 && code < 0x7f) return undefined;
    if (!isLine(code) && (isControl(code) || tests.some((test) => test(code)))) return '';
    return isSpace(code) ? ' ' : undefined;
  });
}

/** Odd control characters out, odd spaces to spaces: the normalizer Nmt. */
export const nmt = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- they are what it takes out
  text.replace(/[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]/g, '').replace(/[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g, ' ');
