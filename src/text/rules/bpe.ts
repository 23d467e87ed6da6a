import type { Ids } from '../ids.js';
import type { Json } from '../json.js';
import { atOnce, type Turns } from '../turns.js';
import { withoutUnknown, type Vocabulary, type WordModel } from './models.js';

/** Ids stay below this, and so do ranks: a pair of them is one exact number. */
const WIDTH = 2 ** 24;
/** Words up to this many symbols are merged by a plain search. */
const SHORT = 48;
/** Symbols, or merges, between two turns. */
const TURN = 1 << 14;
const CACHED_WORDS = 20_000;
const CACHED_LENGTH = 256;

interface Options {
  unknown: string | undefined;
  fuseUnknown: boolean;
  byteFallback: boolean;
  ignoreMerges: boolean;
  prefix: string;
  suffix: string;
}

/** Byte pair encoding with everything that tokenizer.json can ask of it; words are strings of the vocabulary's own characters. */
export class PairModel implements WordModel {
  private readonly options: Options;
  /** left * WIDTH + right -> rank * WIDTH + merged */
  private readonly merges = new Map<number, number>();
  private readonly caches = [new Map<string, readonly number[]>(), new Map<string, readonly number[]>()] as const;

  constructor(json: Json, private readonly vocabulary: Vocabulary) {
    const text = (key: string) => json.get(key).text('');
    const flag = (key: string) => json.get(key).flag(false);
    this.options = {
      unknown: json.get('unk_token').exists ? text('unk_token') : undefined,
      fuseUnknown: flag('fuse_unk'), byteFallback: flag('byte_fallback'), ignoreMerges: flag('ignore_merges'),
      prefix: text('continuing_subword_prefix'), suffix: text('end_of_word_suffix'),
    };
    this.readMerges(json.get('merges'));
  }

  encode(word: string, ids: Ids): void {
    const found = this.caches[this.vocabulary.plain ? 1 : 0].get(word);
    if (found) ids.append(found);
    else atOnce(this.encodeInTurns(word, ids));
  }

  *encodeInTurns(word: string, ids: Ids): Turns<void> {
    const cache = this.caches[this.vocabulary.plain ? 1 : 0];
    let found = cache.get(word);
    if (!found) {
      found = yield* this.find(word);
      if (word.length < CACHED_LENGTH && cache.size < CACHED_WORDS) cache.set(word, found);
    }
    ids.append(found);
  }

  private *find(word: string): Turns<readonly number[]> {
    const whole = this.options.ignoreMerges ? this.vocabulary.get(word) : undefined;
    if (whole !== undefined) return [whole];
    const symbols = yield* this.symbols(word);
    return symbols.length <= SHORT ? this.mergeShort(symbols) : yield* this.mergeLong(symbols);
  }

  private readMerges(json: Json): void {
    json.rawList().forEach((merge, rank) => {
      const parts = typeof merge === 'string' ? merge.split(' ') : merge;
      if (!Array.isArray(parts) || parts.length !== 2 || parts.some((part) => typeof part !== 'string')) throw json.wrong(`merge ${rank} as two tokens`);
      const [left, right] = parts as [string, string];
      const ids = [left, right, left + right.slice(this.options.prefix.length)].map((token) => this.vocabulary.get(token));
      if (ids.includes(undefined)) return;
      this.merges.set(ids[0]! * WIDTH + ids[1]!, rank * WIDTH + ids[2]!);
    });
  }

  /** One symbol a character, or its bytes; an unknown one waits for its neighbours. */
  private *symbols(word: string): Turns<number[]> {
    const { prefix, suffix, unknown, fuseUnknown } = this.options;
    const { plain } = this.vocabulary;
    const symbols: number[] = [];
    let waiting: number | undefined;
    for (let at = 0, turn = TURN; at < word.length; ) {
      const end = at + (word.codePointAt(at)! > 0xffff ? 2 : 1);
      const written = (at ? prefix : '') + word.slice(at, end) + (end === word.length ? suffix : '');
      at = end;
      if (at >= turn) {
        yield at;
        turn = at + TURN;
        this.vocabulary.plain = plain;
      }
      const id = this.vocabulary.get(written);
      if (id === undefined) {
        if (this.pushBytes(written, symbols) || unknown === undefined) continue;
        if (waiting !== undefined && !fuseUnknown) symbols.push(waiting);
        waiting = this.vocabulary.unknown(unknown);
        if (waiting === undefined) throw withoutUnknown(word);
        continue;
      }
      if (waiting !== undefined) symbols.push(waiting);
      waiting = undefined;
      symbols.push(id);
    }
    if (waiting !== undefined) symbols.push(waiting);
    return symbols;
  }

  private pushBytes(written: string, symbols: number[]): boolean {
    if (!this.options.byteFallback) return false;
    const bytes = Array.from(new TextEncoder().encode(written), (byte) => this.vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`));
    if (bytes.includes(undefined)) return false;
    symbols.push(...(bytes as number[]));
    return true;
  }

  /** rank * WIDTH + merged of two neighbours, Infinity where they do not merge. */
  private rate(left: number, right: number): number {
    const found = this.merges.get(left * WIDTH + right);
    return found === undefined || this.vocabulary.hides(found % WIDTH) ? Infinity : found;
  }

  private mergeShort(symbols: number[]): number[] {
    const ratings = symbols.slice(1).map((right, i) => this.rate(symbols[i]!, right));
    for (;;) {
      let at = -1;
      for (let i = 0, best = Infinity; i < ratings.length; i++) {
        const rank = Math.floor(ratings[i]! / WIDTH);
        if (rank < best) [best, at] = [rank, i];
      }
      if (at < 0) return symbols;
      symbols.splice(at, 2, ratings[at]! % WIDTH);
      ratings.splice(at, 1);
      if (at < ratings.length) ratings[at] = this.rate(symbols[at]!, symbols[at + 1]!);
      if (at > 0) ratings[at - 1] = this.rate(symbols[at - 1]!, symbols[at]!);
    }
  }

  /** The same by a heap over linked symbols. */
  private *mergeLong(symbols: number[]): Turns<number[]> {
    const { plain } = this.vocabulary;
    const next = symbols.map((_, i) => i + 1);
    const previous = symbols.map((_, i) => i - 1);
    const heap = new PairHeap();
    const consider = (at: number) => {
      if (at < 0 || next[at]! >= symbols.length) return;
      const rating = this.rate(symbols[at]!, symbols[next[at]!]!);
      if (rating !== Infinity) heap.push(Math.floor(rating / WIDTH), at);
    };
    for (let i = 0; i + 1 < symbols.length; i++) {
      consider(i);
      if (i % TURN !== TURN - 1) continue;
      yield i;
      this.vocabulary.plain = plain;
    }
    let count = 0;
    for (let top = heap.pop(); top; top = heap.pop()) {
      if (++count % TURN === 0) {
        yield symbols.length;
        this.vocabulary.plain = plain;
      }
      const { rank, at } = top;
      const right = next[at]!;
      if (symbols[at] === -1 || right >= symbols.length) continue;
      const rating = this.rate(symbols[at]!, symbols[right]!);
      if (Math.floor(rating / WIDTH) !== rank) continue;
      symbols[at] = rating % WIDTH;
      symbols[right] = -1;
      next[at] = next[right]!;
      if (next[at]! < symbols.length) previous[next[at]!] = at;
      consider(previous[at]!);
      consider(at);
    }
    return symbols.filter((id) => id >= 0);
  }
}

/** Smallest rank first, the leftmost of equals. */
class PairHeap {
  private readonly keys: number[] = [];
  private readonly width = 2 ** 28;

  push(rank: number, at: number): void {
    const { keys } = this;
    const key = rank * this.width + at;
    let i = keys.length;
    while (i && keys[(i - 1) >> 1]! > key) {
      keys[i] = keys[(i - 1) >> 1]!;
      i = (i - 1) >> 1;
    }
    keys[i] = key;
  }

  pop(): { rank: number; at: number } | undefined {
    const { keys } = this;
    const top = keys[0];
    if (top === undefined) return undefined;
    const last = keys.pop()!;
    if (keys.length) this.sink(last);
    return { rank: Math.floor(top / this.width), at: top % this.width };
  }

  private sink(key: number): void {
    const { keys } = this;
    let i = 0;
    for (let child = 1; child < keys.length; child = 2 * i + 1) {
      if (child + 1 < keys.length && keys[child + 1]! < keys[child]!) child++;
      if (keys[child]! >= key) break;
      keys[i] = keys[child]!;
      i = child;
    }
    keys[i] = key;
  }
}
