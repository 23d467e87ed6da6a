import { shortestOf } from '../charsmap.js';
import type { Json } from '../json.js';
import { fromBase64 } from '../pipeline.js';

/**
 * SentencePiece's character map as Rust's tokenizers applies it: a grapheme of fewer than 6 bytes is looked up whole, and what its shortest
 * match stands for takes its whole place; otherwise its characters are, each by itself.
 */
export function readCharsmap(json: Json): (text: string) => string {
  const look = shortestOf(fromBase64(json));
  return (text) => {
    let out = '';
    for (const grapheme of graphemes(text)) {
      const found = isShort(grapheme) ? look(grapheme) : undefined;
      if (found !== undefined) out += found;
      else for (const char of grapheme) out += look(char) ?? char;
    }
    return out;
  };
}

const utf8 = new TextEncoder();
const isShort = (grapheme: string) => grapheme.length < 6 && (grapheme.length === 1 || utf8.encode(grapheme).length < 6);
const segmenter = typeof Intl !== 'undefined' && 'Segmenter' in Intl ? new Intl.Segmenter('en', { granularity: 'grapheme' }) : undefined;

/** Engines without the segmenter take a character with its marks. */
function* graphemes(text: string): Iterable<string> {
  if (segmenter) for (const { segment } of segmenter.segment(text)) yield segment;
  else for (const [cluster] of text.matchAll(/\r\n|[^][\p{M}\u200d]*/gu)) yield cluster;
}
