import { Effort } from './growth.js';
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
    if (word.length > this.longestWord && [...word].length > this.longestWord) return ids.push(this.unknown);
    const found: number[] = [];
    const effort = new Effort();
    for (let at = 0; at < word.length; ) {
      const table = at === 0 ? this.starts : this.rest;
      let end = Math.min(word.length, at + this.longest);
      const last = end;
      while (end > at && !table.has(word.slice(at, end))) end--;
      effort.spend(((last - end) * (last + end - 2 * at)) / 2, at); // characters looked up
      if (end === at) return ids.push(this.unknown);
      found.push(table.get(word.slice(at, end))!);
      at = end;
    }
    ids.append(found);
  }
}
