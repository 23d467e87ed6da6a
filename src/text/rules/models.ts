import { StonechatError } from '../../errors.js';
import { Effort } from '../growth.js';
import type { Ids } from '../ids.js';
import type { Json } from '../json.js';
import type { Turns } from '../turns.js';

/** What the models share: a vocabulary, of which the special tokens can be hidden from running text. */
export class Vocabulary {
  private readonly ids = new Map<string, number>();
  private readonly special = new Set<number>();
  /** Text must not form special tokens. */
  plain = false;

  constructor(entries: Iterable<readonly [string, number]>, special: Iterable<number>) {
    for (const [token, id] of entries) this.ids.set(token, id);
    for (const id of special) this.special.add(id);
  }

  get(token: string): number | undefined {
    const id = this.ids.get(token);
    return id === undefined || this.hides(id) ? undefined : id;
  }

  hides(id: number): boolean {
    return this.plain && this.special.has(id);
  }

  /** The unknown token, special or not. */
  unknown(token: string): number | undefined {
    return this.ids.get(token);
  }
}

/** Ids of one word. */
export interface WordModel {
  encode(word: string, ids: Ids): void;
  /** The same with turns in between, for long words. */
  encodeInTurns?(word: string, ids: Ids): Turns<void>;
}

export const withoutUnknown = (word: string) =>
  new StonechatError({
    code: 'bad-option',
    expected: 'text that the vocabulary can write, since it has no unknown token',
    found: JSON.stringify(word.slice(0, 60)),
    remedy: 'Leave these characters out, or use a tokenizer with an unknown token.',
  });

/** In characters, of which none takes more than two units. */
const isLonger = (word: string, most: number): boolean => word.length > 2 * most || [...word].length > most;

/** A word is a token or unknown. */
export function wordLevel(json: Json, vocabulary: Vocabulary): WordModel {
  const unknown = vocabulary.unknown(json.get('unk_token').text('<unk>'));
  return {
    encode(word, ids) {
      const id = vocabulary.get(word) ?? unknown;
      if (id === undefined) throw withoutUnknown(word);
      ids.push(id);
    },
  };
}

/** BERT's: the longest token that starts the word, then the longest that continues it, and so on; unknown as a whole otherwise. */
export function wordPiece(json: Json, vocabulary: Vocabulary, longest: number): WordModel {
  const unknown = vocabulary.unknown(json.get('unk_token').text('[UNK]'));
  const prefix = json.get('continuing_subword_prefix').text('##');
  const most = json.get('max_input_chars_per_word').number(100);
  const pieces = (word: string): number[] | undefined => {
    const found: number[] = [];
    if (word.length > most && isLonger(word, most)) return undefined;
    const effort = new Effort();
    for (let at = 0; at < word.length; ) {
      let end = Math.min(word.length, at + longest);
      let id: number | undefined;
      const last = end;
      while (end > at && (id = vocabulary.get(at ? prefix + word.slice(at, end) : word.slice(0, end))) === undefined) end--;
      effort.spend(((last - end) * (last + end - 2 * at)) / 2, at); // characters looked up
      if (id === undefined) return undefined;
      found.push(id);
      at = end;
    }
    return found;
  };
  return {
    encode(word, ids) {
      const found = pieces(word);
      if (!found && unknown === undefined) throw withoutUnknown(word);
      ids.append(found ?? [unknown!]);
    },
  };
}
