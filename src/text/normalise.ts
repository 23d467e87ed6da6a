/** Text normalisers, by Hugging Face's names, and the pieces of BERT's. */
export type Normaliser = (text: string) => string;

export const stripAccents: Normaliser = (text) => text.normalize('NFD').replace(/\p{Mn}/gu, '');
const CHINESE = /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

export interface BertOptions {
  cleanText: boolean;
  chinese: boolean;
  stripAccents: boolean;
  lowercase: boolean;
}

/** BertNormalizer: control characters out, spaces around Chinese characters, no accents, lower case. */
export function bertNormaliser({ cleanText, chinese, stripAccents: strip, lowercase }: BertOptions): Normaliser {
  return (text) => {
    let out = text;
    if (cleanText) out = out.replace(/[\0\ufffd]|(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\p{Cn}]/gu, '').replace(/\p{White_Space}/gu, ' ');
    if (chinese) out = out.replace(CHINESE, ' $& ');
    if (strip) out = stripAccents(out);
    return lowercase ? out.toLowerCase() : out;
  };
}

/** BERT's word boundaries: what is punctuation stands alone. */
export const BERT_PUNCTUATION = '[!-/:-@\\[-`{-~\\p{P}]';
export const SPACES = '\\s+';

/** SentencePiece's treatment of spaces, after its character map: runs become one and the ends are trimmed if `merge`. */
export const mergeSpaces: Normaliser = (text) => text.replace(/ +/g, ' ').replace(/^ | $/g, '');

/** Nmt of Hugging Face: odd control characters out, odd spaces to spaces. */
export const nmt: Normaliser = (text) =>
  // oxlint-disable-next-line no-control-regex -- they are what it takes out
  text.replace(/[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]/g, '').replace(/[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g, ' ');
