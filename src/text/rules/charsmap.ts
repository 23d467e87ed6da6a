import { shortestOf } from '../charsmap.js';
import { graphemes } from '../graphemes.js';
import type { Json } from '../json.js';
import { fromBase64 } from '../pipeline.js';

/**
 * SentencePiece's character map as Rust's tokenizers applies it: a grapheme of fewer than 6 bytes is looked up whole, and what its shortest
 * match stands for takes its whole place; otherwise its characters are, each by itself.
 */
export function readCharsmap(json: Json): (text: string) => string {
  const look = remembered(shortestOf(fromBase64(json)));
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

const KEPT = 8192;

/** Few graphemes make up most texts. */
function remembered(look: (text: string) => string | undefined): (text: string) => string | undefined {
  const known = new Map<string, string | undefined>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined || known.has(text)) return found;
    const made = look(text);
    if (known.size < KEPT) known.set(text, made);
    return made;
  };
}

const utf8 = new TextEncoder();
const isShort = (grapheme: string) => grapheme.length < 6 && (grapheme.length === 1 || utf8.encode(grapheme).length < 6);
