/** A step from a text to another one. */
export type Normaliser = (text: string) => string;

/** BERT's word boundaries: what is punctuation stands alone. */
export const BERT_PUNCTUATION = '[!-/:-@\\[-`{-~\\p{P}]';
export const SPACES = '\\s+';

/** SentencePiece's treatment of spaces, after its character map: runs become one and the ends are trimmed if `merge`. */
export const mergeSpaces: Normaliser = (text) => text.replace(/ +/g, ' ').replace(/^ | $/g, '');
