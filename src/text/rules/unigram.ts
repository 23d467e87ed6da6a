import { Effort } from '../growth.js';
import type { Ids } from '../ids.js';
import type { Json } from '../json.js';
import { Trie } from '../trie.js';
import { atOnce, type Turns } from '../turns.js';
import { withoutUnknown, type Vocabulary, type WordModel } from './models.js';

/** An unknown character costs this much more than the least likely token. */
const UNKNOWN_PENALTY = 10;

/** Characters between two turns. */
const TURN = 1 << 14;

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
    atOnce(this.encodeInTurns(word, ids));
  }

  /** The word is cut into its likeliest tokens; unknown neighbours are one part. Another text may be encoded at each turn. */
  *encodeInTurns(word: string, ids: Ids): Turns<void> {
    const { plain } = this.vocabulary;
    const ends = yield* this.ends(word);
    let from = 0;
    for (let i = ends.length - 1; i >= 0; i--) {
      this.write(word.slice(from, ends[i]), ids);
      from = ends[i]!;
      if (i % TURN !== TURN - 1) continue;
      yield from;
      this.vocabulary.plain = plain;
    }
  }

  private write(part: string, ids: Ids): void {
    const id = this.vocabulary.get(part);
    if (id !== undefined) ids.push(id);
    else if (!this.pushBytes(part, ids)) {
      if (this.unknown === undefined) throw withoutUnknown(part);
      ids.push(this.unknown);
    }
  }

  /** Where the parts end, the last one first. */
  private *ends(word: string): Turns<number[]> {
    const { plain } = this.vocabulary;
    const { from, token } = yield* this.viterbi(word);
    const ends: number[] = [];
    let [known, count] = [true, 0];
    for (let end = word.length; end > 0; end = from[end]! - 1) {
      const unknown = token[end] === this.unknown;
      if (known || !unknown) ends.push(end);
      known = !unknown;
      if (++count % TURN === 0) yield end;
    }
    this.vocabulary.plain = plain;
    return ends;
  }

  /** For each place: one more than where its best token starts (0: none does), and which it is. */
  private *viterbi(word: string): Turns<{ from: Int32Array; token: Int32Array }> {
    const { plain } = this.vocabulary;
    const size = word.length + 1;
    const [best, from, token] = [new Float64Array(size), new Int32Array(size), new Int32Array(size)];
    const offer = (end: number, score: number, start: number, id: number) => {
      if (from[end] && score <= best[end]!) return;
      best[end] = score;
      from[end] = start + 1;
      token[end] = id;
    };
    const effort = new Effort();
    for (let at = 0, turn = TURN; at < word.length; ) {
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
      if (at < turn) continue;
      yield at;
      turn = at + TURN;
      this.vocabulary.plain = plain;
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
