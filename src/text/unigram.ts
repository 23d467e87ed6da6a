import { Effort } from './growth.js';
import type { Ids } from './ids.js';
import { TOKEN, type TokenizerSpec, type UnigramModel } from './spec.js';
import { Trie } from './trie.js';
import { atOnce, type Turns } from './turns.js';

/** An unknown character costs this much more than the least likely token (SentencePiece's kUnkPenalty). */
const UNKNOWN_PENALTY = 10;

/** Characters between two turns. */
const TURN = 1 << 15;

/** For each place of a piece: one more than where its best token starts (0: none does), and which it is (-1: an unknown character). */
interface Search {
  readonly piece: string;
  readonly best: Float64Array;
  readonly from: Int32Array;
  readonly token: Int32Array;
  readonly effort: Effort;
  at: number;
}

function begin(piece: string): Search {
  const size = piece.length + 1;
  const best = new Float64Array(size);
  return { piece, best, from: new Int32Array(size), token: new Int32Array(size), effort: new Effort(), at: 0 };
}

/** Unigram language model: of all ways to write a piece with tokens, the likeliest (Viterbi; Kudo 2018). */
export class UnigramEncoder {
  private readonly trie = new Trie();
  private readonly scores: Float64Array;
  private readonly unknownScore: number;
  private readonly unknown: number;
  private readonly byteIds: (number | undefined)[] = [];

  constructor({ tokens, types, unk }: TokenizerSpec, model: UnigramModel) {
    this.scores = Float64Array.from(model.scores);
    this.unknown = unk ?? 0;
    let least = Infinity;
    tokens.toArray().forEach((token, id) => {
      const type = types[id];
      if (type === TOKEN.byte) this.byteIds[Number.parseInt(token.slice(3, 5), 16)] = id;
      if (type === TOKEN.normal) least = Math.min(least, this.scores[id]!);
      if (type === TOKEN.userDefined) this.scores[id] = 0;
      if (token && (type === TOKEN.normal || type === TOKEN.userDefined || type === TOKEN.unused)) this.trie.add(codeUnits(token), id);
    });
    if (!model.byteFallback) this.byteIds = [];
    this.unknownScore = (Number.isFinite(least) ? least : 0) - UNKNOWN_PENALTY;
  }

  /** Ids of one piece. Unknown characters become byte tokens, or neighbours together one unknown token. */
  encode(piece: string, ids: Ids): void {
    const search = begin(piece);
    this.advance(search, piece.length);
    atOnce(this.write(search, ids));
  }

  /** The same with turns in between, for long pieces; each tells how far it is. */
  *encodeInTurns(piece: string, ids: Ids): Turns<void> {
    const search = begin(piece);
    while (search.at < piece.length) {
      this.advance(search, Math.min(piece.length, search.at + TURN));
      yield search.at;
    }
    yield* this.write(search, ids);
  }

  private *write({ piece, from, token }: Search, ids: Ids): Turns<void> {
    const path: number[] = [];
    for (let at = piece.length; at > 0; at = from[at]! - 1) {
      path.push(at);
      if (path.length % TURN === 0) yield piece.length;
    }
    let fused = false;
    for (let i = path.length - 1; i >= 0; i--) {
      const end = path[i]!;
      if (token[end] !== -1) ids.push(token[end]!);
      else if (!this.writeBytes(piece.slice(from[end]! - 1, end), ids) && !fused) ids.push(this.unknown);
      fused = token[end] === -1 && !this.byteIds.length;
      if (i % TURN === 0) yield piece.length;
    }
  }

  /** Goes on with the search up to about this place. */
  private advance(search: Search, to: number): void {
    const { piece, best, from, token, effort } = search;
    const offer = (end: number, score: number, start: number, id: number) => {
      if (from[end]! && score <= best[end]!) return;
      best[end] = score;
      from[end] = start + 1;
      token[end] = id;
    };
    while (search.at < to) {
      const { at } = search;
      const next = at + (piece.codePointAt(at)! > 0xffff ? 2 : 1);
      let single = false;
      let end = at;
      for (let node = 0; end < piece.length; ) {
        node = this.trie.step(node, piece.charCodeAt(end++));
        if (node < 0) break;
        const id = this.trie.value(node);
        if (id < 0) continue;
        single ||= end === next;
        offer(end, best[at]! + this.scores[id]!, at, id);
      }
      if (!single) offer(next, best[at]! + this.unknownScore, at, -1);
      effort.spend(end - at, at);
      search.at = next;
    }
  }

  private writeBytes(char: string, ids: Ids): boolean {
    if (!this.byteIds.length) return false;
    const bytes = [...new TextEncoder().encode(char)].map((byte) => this.byteIds[byte]);
    if (bytes.includes(undefined)) return false;
    ids.append(bytes as number[]);
    return true;
  }
}

const codeUnits = (text: string): Uint16Array => Uint16Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
