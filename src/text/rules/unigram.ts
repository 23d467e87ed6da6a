import { Effort } from '../growth.js';
import type { Ids } from '../ids.js';
import type { Json } from '../json.js';
import { Trie } from '../trie.js';
import { withoutUnknown, type Vocabulary, type WordModel } from './models.js';

/** An unknown character costs this much more than the least likely token. */
const UNKNOWN_PENALTY = 10;

/** Unigram as Rust's tokenizers have it: every token counts, with its own score, and what is unknown is looked up again once it is joined. */
export class LikelyModel implements WordModel {
  private readonly trie = new Trie();
  private readonly scores: Float64Array;
  private readonly unknown: number | undefined;
  private readonly unknownScore: number;
  private readonly byteFallback: boolean;

  constructor(json: Json, entries: readonly (readonly [string, number])[], private readonly vocabulary: Vocabulary) {
    this.scores = Float64Array.from(entries, ([, score]) => score);
    this.unknown = json.get('unk_id').exists ? json.get('unk_id').id() : undefined;
    this.byteFallback = json.get('byte_fallback').flag(false);
    this.unknownScore = this.scores.reduce((least, score) => Math.min(least, score), Infinity) - UNKNOWN_PENALTY;
    entries.forEach(([token], id) => token && this.trie.add(Uint16Array.from({ length: token.length }, (_, i) => token.charCodeAt(i)), id));
  }

  encode(word: string, ids: Ids): void {
    for (const part of this.parts(word)) {
      const id = this.vocabulary.get(part);
      if (id !== undefined) ids.push(id);
      else if (!this.pushBytes(part, ids)) {
        if (this.unknown === undefined) throw withoutUnknown(part);
        ids.push(this.unknown);
      }
    }
  }

  /** The word cut into its likeliest tokens; unknown neighbours are one part. */
  private parts(word: string): string[] {
    const { from, token } = this.viterbi(word);
    const parts: string[] = [];
    let joined = 0;
    for (let end = word.length; end > 0; end = from[end]!) {
      if (token[end] === this.unknown) {
        joined ||= end;
        if (from[end]! > 0 && token[from[end]!] === this.unknown) continue;
        parts.push(word.slice(from[end], joined));
        joined = 0;
      } else parts.push(word.slice(from[end], end));
    }
    return parts.reverse();
  }

  /** For each place: where its best token starts, and which it is. */
  private viterbi(word: string): { from: Int32Array; token: Int32Array } {
    const size = word.length + 1;
    const best = new Float64Array(size).fill(-Infinity);
    const from = new Int32Array(size);
    const token = new Int32Array(size).fill(-1);
    const offer = (end: number, score: number, start: number, id: number) => {
      if (token[end] !== -1 && score <= best[end]!) return;
      best[end] = score;
      from[end] = start;
      token[end] = id;
    };
    best[0] = 0;
    const effort = new Effort();
    for (let at = 0; at < word.length; ) {
      const next = at + (word.codePointAt(at)! > 0xffff ? 2 : 1);
      let single = false;
      let end = at;
      for (let node = 0; end < word.length; ) {
        node = this.trie.step(node, word.charCodeAt(end++));
        if (node < 0) break;
        const id = this.trie.value(node);
        if (id < 0 || this.vocabulary.hides(id)) continue;
        single ||= end === next;
        offer(end, best[at]! + this.scores[id]!, at, id);
      }
      if (!single) {
        if (this.unknown === undefined) throw withoutUnknown(word);
        offer(next, best[at]! + this.unknownScore, at, this.unknown);
      }
      effort.spend(end - at, at);
      at = next;
    }
    return { from, token };
  }

  private pushBytes(part: string, ids: Ids): boolean {
    if (!this.byteFallback) return false;
    const bytes = Array.from(new TextEncoder().encode(part), (byte) => this.vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`));
    if (bytes.includes(undefined)) return false;
    ids.append(bytes as number[]);
    return true;
  }
}
