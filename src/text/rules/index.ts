import { checkGrowth } from '../growth.js';
import type { Ids } from '../ids.js';
import type { Json } from '../json.js';
import { TokenFinder } from '../special.js';
import { GROUP } from '../split.js';
import type { AddedToken, TextRules } from '../spec.js';
import { atOnce, type Turns } from '../turns.js';
import type { TextStream } from '../types.js';
import { PairModel } from './bpe.js';
import { codedByte, letterBytes, readDecoders, type Decoder } from './decoders.js';
import { Vocabulary, wordLevel, wordPiece, type WordModel } from './models.js';
import { readNormalizer } from './normalizers.js';
import { type Piece, type Rewrite, slicePiece, wholePiece } from './piece.js';
import { preTokenize, readPreTokenizers, toLetters, type PreTokenizers } from './pretokenizers.js';
import { LikelyModel } from './unigram.js';

export interface RulesOptions {
  /** By id; '' where there is none. */
  tokens: readonly string[];
  added: readonly AddedToken[];
  /** The kernels merge: words are handed out as the text that they are. */
  kernels: boolean;
}

/** A tokenizer.json carried out rule by rule, as Hugging Face's Rust crate does. @throws StonechatError `unsupported`, `bad-file`. */
export function readRules(json: Json, options: RulesOptions): TextRules {
  return new Rules(json, options);
}

class Rules implements TextRules {
  private readonly normalize: Rewrite;
  private readonly preTokenizers: PreTokenizers;
  private readonly decoders: readonly Decoder[];
  private readonly model: WordModel | undefined;
  private readonly vocabulary: Vocabulary | undefined;
  private readonly finders = new Map<string, TokenFinder>();
  /** What decoding sees of added tokens, and which of them it leaves out. */
  private readonly shown = new Map<number, { text: string; special: boolean }>();

  constructor(json: Json, private readonly options: RulesOptions) {
    this.normalize = readNormalizer(json.get('normalizer'));
    this.preTokenizers = readPreTokenizers(json.get('pre_tokenizer'));
    this.decoders = readDecoders(json.get('decoder'));
    const specials = new Set(options.added.filter(({ special }) => special).map(({ content }) => content));
    for (const { id, content, normalized } of options.added) {
      const text = normalized ? this.normalized(content) : content;
      this.shown.set(id, { text, special: specials.has(text) });
    }
    if (options.kernels) return;
    const special = options.added.flatMap(({ id, content, special }) => (special && codedByte(content) === undefined ? [id] : []));
    const vocab = json.get('model').get('vocab');
    const entries = entriesOf(vocab);
    this.vocabulary = new Vocabulary(vocab.isList() ? entries.map(([token], id) => [token, id]) : entries, special);
    this.model = readModel(json.get('model'), entries, this.vocabulary);
  }

  get inKernels(): boolean {
    return this.options.kernels;
  }

  *fragments(text: string, parseSpecial: boolean): Turns<(number | string[])[]> {
    const out: (number | string[])[] = [];
    for (const outer of yield* this.finder(parseSpecial, false).locateInTurns(text)) {
      if (outer.id !== undefined) {
        out.push(outer.id);
        continue;
      }
      const piece = yield* this.normalize(wholePiece(text.slice(outer.from, outer.to), outer.from));
      for (const { from, to, id } of yield* this.finder(parseSpecial, true).locateInTurns(piece.text)) {
        out.push(id ?? (yield* textsOf(yield* preTokenize(this.preTokenizers.steps, slicePiece(piece, from, to)))));
      }
    }
    return out;
  }

  *encode(words: readonly string[], parseSpecial: boolean, ids: Ids): Turns<void> {
    for (const word of words) {
      this.vocabulary!.plain = !parseSpecial;
      const written = this.preTokenizers.lettersLast ? toLetters(word) : word;
      if (word.length <= LONG_WORD || !this.model!.encodeInTurns) this.model!.encode(written, ids);
      else yield* this.model!.encodeInTurns(written, ids);
    }
  }

  decode(ids: Iterable<number>, special: boolean): string {
    const tokens: string[] = [];
    for (const id of ids) {
      const text = this.visible(id, special);
      if (text) tokens.push(text);
    }
    if (!tokens.length) return '';
    const size = total(tokens);
    const made = this.decoders.reduce<readonly string[]>((done, decoder) => {
      const next = decoder.decode(done);
      checkGrowth(size, total(next));
      return next;
    }, tokens);
    return made.join('');
  }

  bytes(id: number): Uint8Array {
    let token = this.shown.get(id)?.text ?? this.options.tokens[id] ?? '';
    for (const decoder of this.decoders) {
      if (decoder.bytes === 'letters') return letterBytes(token);
      const byte = decoder.bytes === 'codes' ? codedByte(token) : undefined;
      if (byte !== undefined) return Uint8Array.of(byte);
      token = decoder.middle(token);
    }
    return new TextEncoder().encode(token);
  }

  stream(special: boolean, previous: Iterable<number>): TextStream {
    return new DecodeStream((ids) => this.decode(ids, special), [...previous]);
  }

  private visible(id: number, special: boolean): string {
    const added = this.shown.get(id);
    if (!added) return this.options.tokens[id] ?? '';
    return special || !added.special ? added.text : '';
  }

  private normalized(text: string): string {
    return atOnce(this.normalize(wholePiece(text, 0))).text;
  }

  private finder(parseSpecial: boolean, late: boolean): TokenFinder {
    const key = `${parseSpecial} ${late}`;
    let finder = this.finders.get(key);
    if (!finder) {
      const wanted = this.options.added.filter((token) => token.normalized === late && (parseSpecial || !token.special));
      finder = new TokenFinder(late ? wanted.map((token) => ({ ...token, content: this.normalized(token.content) })) : wanted);
      this.finders.set(key, finder);
    }
    return finder;
  }
}

/** Longer words are searched in turns. */
const LONG_WORD = 1 << 14;

function* textsOf(pieces: readonly Piece[]): Turns<string[]> {
  const texts: string[] = [];
  for (const { text } of pieces) {
    texts.push(text);
    if (texts.length % GROUP === 0) yield texts.length;
  }
  return texts;
}

const total = (texts: readonly string[]): number => texts.reduce((sum, { length }) => sum + length, 0);

/** [token, id], of Unigram [token, score]; checked by the reader of the vocabulary. */
function entriesOf(vocab: Json): [string, number][] {
  return (vocab.isList() ? vocab.rawList() : vocab.rawEntries()) as [string, number][];
}

function readModel(json: Json, entries: readonly [string, number][], vocabulary: Vocabulary): WordModel {
  const type = json.get('type').text(json.get('merges').exists ? 'BPE' : json.get('vocab').isList() ? 'Unigram' : 'WordPiece');
  if (type === 'WordLevel') return wordLevel(json, vocabulary);
  if (type === 'Unigram') return new LikelyModel(json, entries, vocabulary);
  if (type === 'WordPiece') return wordPiece(json, vocabulary, entries.reduce((longest, [token]) => Math.max(longest, token.length), 1));
  if (json.get('dropout').number(0)) throw json.get('dropout').unsupported('no dropout');
  return new PairModel(json, vocabulary);
}

const KEPT = 16;

/**
 * Text of a growing list of ids through any decoders: the new text is what the last tokens give with the new one, less what they gave
 * without. Nothing is shown while it ends in U+FFFD, which may be half a character.
 */
class DecodeStream implements TextStream {
  private window: number[] = [];
  private shown = '';

  constructor(private readonly decode: (ids: readonly number[]) => string, previous: number[]) {
    this.window = previous.length > KEPT * 4 ? previous.slice(-KEPT) : previous;
    this.shown = previous.length ? decode(this.window) : '';
  }

  readonly push = (id: number): string => {
    this.window.push(id);
    const text = this.decode(this.window);
    if (text.length <= this.shown.length || text.endsWith('\ufffd')) return '';
    return this.take(text);
  };

  readonly flush = (): string => this.take(this.decode(this.window));

  /** Keeps a few ids, since how a token is written depends on those before it. */
  private take(text: string): string {
    const fresh = text.slice(this.shown.length);
    this.shown = text;
    if (this.window.length > KEPT * 2) this.forget(text);
    return fresh;
  }

  /** Unless the last ids by themselves give another text: they may begin inside a character. */
  private forget(text: string): void {
    const kept = this.window.slice(-KEPT);
    const shown = this.decode(kept);
    if (!text.endsWith(shown.trimStart())) return;
    this.window = kept;
    this.shown = shown;
  }
}
