import type { Ids } from './ids.js';
import { TOKEN, type TokenizerSpec, type WordPieceModel } from './spec.js';

/** BERT's WordPiece: the longest token that starts the word, then the longest that continues it, and so on. */
export class WordPieceEncoder {
  private readonly starts = new Map<string, number>();
  private readonly rest = new Map<string, number>();
  private readonly unknown: number;
  private readonly longestWord: number;
  private longest = 1;

  constructor({ tokens, types, unk }: TokenizerSpec, { mark, marks, longestWord }: WordPieceModel) {
    this.unknown = unk ?? 0;
    this.longestWord = longestWord;
    tokens.toArray().forEach((token, id) => {
      if (types[id] !== TOKEN.normal) return;
      const marked = token.startsWith(mark) && token.length > mark.length;
      const table = marked === (marks === 'start') ? this.starts : this.rest;
      const text = marked ? token.slice(mark.length) : token;
      table.set(text, id);
      this.longest = Math.max(this.longest, text.length);
    });
  }

  encode(word: string, ids: Ids): void {
    const found: number[] = [];
    for (let at = 0; at < word.length; ) {
      const table = at === 0 ? this.starts : this.rest;
      let end = Math.min(word.length, at + this.longest);
      while (end > at && !table.has(word.slice(at, end))) end--;
      if (end === at) return ids.push(this.unknown);
      found.push(table.get(word.slice(at, end))!);
      at = end;
    }
    if ([...word].length > this.longestWord) ids.push(this.unknown);
    else ids.append(found);
  }
}
