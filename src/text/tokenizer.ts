import { plain, StonechatError } from '../errors.js';
import { bytesToLetters } from './alphabet.js';
import { MergeEngine, type KernelSource } from './engine.js';
import { GreedyEncoder } from './greedy.js';
import { atOnce, inTurns, toldAs, type Turns } from './turns.js';
import { checkGrowth } from './growth.js';
import { Ids } from './ids.js';
import { markSpaces, unmarkSpaces } from './normalise.js';
import { namedStops, isMarked, TokenFinder, withMarks, type Fragment } from './special.js';
import { TOKEN, type MergeModel, type TextRules, type TokenizerSpec, type WordPieceModel } from './spec.js';
import { SCAN, splitInTurns, splitText } from './split.js';
import type { EncodeAsyncOptions, EncodeOptions, MarkedOptions, TextStream, Tokenizer } from './types.js';
import { UnigramEncoder } from './unigram.js';
import { WordPieceEncoder } from './wordpiece.js';

/** A tokenizer from its description. `kernels` is only a source of the compiled module: the tokenizer has a memory of its own. */
export function createTokenizer(spec: TokenizerSpec, kernels: KernelSource): Tokenizer {
  return new SpecTokenizer(spec, kernels);
}

/** A stretch of the text, or a token; with `words` where rules have split it. */
interface Part {
  fragment: Fragment;
  first: boolean;
  words?: readonly string[];
}

/** What a model makes of normalised text, and what its tokens stand for. */
interface Model {
  encode(text: string, first: boolean, ids: Ids): void;
  /** The same with turns in between. */
  encodeInTurns(text: string, first: boolean, ids: Ids): Turns<void>;
  /** Text that is split already. */
  words(words: readonly string[], ids: Ids): void;
  wordsInTurns(words: readonly string[], ids: Ids): Turns<void>;
  bytes(id: number): Uint8Array;
  pieces(text: string, first: boolean): string[];
}

const utf8 = new TextEncoder();
const MARK = '\u2581';
/** Words that are encoded without a turn. */
const WORDS = 1 << 12;
const LONG_PIECE = 1 << 14;

class SpecTokenizer implements Tokenizer {
  readonly kind: string;
  readonly size: number;
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  readonly unk: number | undefined;
  readonly startIds: readonly number[];
  readonly stopIds: ReadonlySet<number>;
  readonly chatTemplate: string | undefined;
  readonly specialTokens: Readonly<Record<string, string>>;
  private readonly model: Model;
  /** Is it a special one? */
  private readonly added: ReadonlyMap<number, boolean>;
  private readonly contents: ReadonlyMap<number, string>;
  private readonly finders = new Map<string, TokenFinder>();
  private idsByToken: Map<string, number> | undefined;

  constructor(private readonly spec: TokenizerSpec, kernels: KernelSource) {
    this.kind = spec.kind;
    this.size = spec.tokens.length;
    this.bos = spec.bos;
    this.eos = spec.eos;
    this.unk = spec.unk;
    this.startIds = [...spec.before];
    this.chatTemplate = spec.chatTemplate;
    this.contents = new Map(spec.added.map(({ id, content }) => [id, content]));
    this.added = new Map(spec.added.map(({ id, special }) => [id, special]));
    const named = namedStops(spec.added);
    this.stopIds = new Set([...(spec.eos === undefined ? [] : [spec.eos]), ...(spec.stop ?? []), ...named]);
    const roleOf = (name: string, id: number | undefined) => (id === undefined ? {} : { [name]: this.contents.get(id) ?? spec.tokens.at(id)! });
    this.specialTokens = { ...roleOf('bos_token', spec.bos), ...roleOf('eos_token', spec.eos), ...spec.names };
    this.model = spec.model.model === 'merge' && (!spec.rules || spec.rules.inKernels) ? mergeModel(spec, spec.model, kernels) : scriptModel(spec);
  }

  encode(text: string, options?: MarkedOptions): Int32Array {
    const { addSpecial = true, parseSpecial = false, marks = '' } = settings(options);
    checkText(text);
    if (marks && parseSpecial) return withMarks(text, marks, () => this.encode(text, { addSpecial, parseSpecial }));
    const ids = new Ids((text.length >> 2) + 8);
    if (addSpecial) ids.append(this.spec.before);
    if (this.spec.rules) this.encodeByRules(this.spec.rules, text, parseSpecial, ids);
    else {
      this.fragments(text, parseSpecial, (fragment, first) => {
        if (typeof fragment === 'number') ids.push(fragment);
        else this.model.encode(this.prefixed(fragment, first), first, ids);
      });
    }
    if (addSpecial) ids.append(this.spec.after);
    return ids.finish();
  }

  private encodeByRules(rules: TextRules, text: string, parseSpecial: boolean, ids: Ids): void {
    for (const fragment of atOnce(rules.fragments(text, parseSpecial))) {
      if (typeof fragment === 'number') ids.push(fragment);
      else if (rules.inKernels) this.model.words(fragment, ids);
      else atOnce(rules.encode(fragment, parseSpecial && !isMarked(), ids));
    }
  }

  async encodeAsync(text: string, given?: EncodeAsyncOptions): Promise<Int32Array> {
    const { signal, onProgress, ...options } = settings(given);
    checkText(text);
    if (signal !== undefined && !('aborted' in Object(signal))) refuse('signal to be an AbortSignal', plain(signal), 'Leave it out for none.');
    if (onProgress !== undefined && typeof onProgress !== 'function') refuse('onProgress to be a function', plain(onProgress), 'Leave it out for none.');
    return inTurns(this.encodeInTurns(text, options), text.length, { ...(signal && { signal }), ...(onProgress && { onProgress }) });
  }

  private *encodeInTurns(text: string, { addSpecial = true, parseSpecial = false }: EncodeOptions): Turns<Int32Array> {
    const ids = new Ids((text.length >> 2) + 8);
    if (addSpecial) ids.append(this.spec.before);
    let done = 0;
    for (const { fragment, first, words } of yield* toldAs(this.parts(text, parseSpecial), 0)) {
      if (typeof fragment === 'number') ids.push(fragment);
      else {
        const turns = words ? this.wordsInTurns(words, parseSpecial, ids) : this.model.encodeInTurns(this.prefixed(fragment, first), first, ids);
        for (let step = turns.next(); !step.done; step = turns.next()) yield done + step.value;
        done += fragment.length;
      }
      yield done;
    }
    if (addSpecial) ids.append(this.spec.after);
    return ids.finish();
  }

  /** All parts of a text: with `words` where rules have split it. */
  private *parts(text: string, parseSpecial: boolean): Turns<Part[]> {
    if (!this.spec.rules) return yield* this.fragmentsInTurns(text, parseSpecial);
    const fragments = yield* this.spec.rules.fragments(text, parseSpecial);
    return fragments.map((found) => (typeof found === 'number' ? { fragment: found, first: false } : { fragment: '', first: false, words: found }));
  }

  private *wordsInTurns(words: readonly string[], parseSpecial: boolean, ids: Ids): Turns<void> {
    const rules = this.spec.rules!;
    if (rules.inKernels) return yield* this.model.wordsInTurns(words, ids);
    for (let at = 0, done = 0; at < words.length; at += WORDS) {
      const some = words.slice(at, at + WORDS);
      yield* toldAs(rules.encode(some, parseSpecial, ids), done);
      yield (done += some.reduce((sum, { length }) => sum + length, 0));
    }
  }

  pieces(text: string, options?: Pick<EncodeOptions, 'parseSpecial'>): string[] {
    const { parseSpecial = false } = settings(options);
    checkText(text);
    const out: string[] = [];
    if (this.spec.rules) {
      return atOnce(this.spec.rules.fragments(text, parseSpecial)).flatMap((fragment) => (typeof fragment === 'number' ? this.token(fragment) : fragment));
    }
    this.fragments(text, parseSpecial, (fragment, first) => {
      if (typeof fragment === 'number') out.push(this.token(fragment));
      else for (const piece of this.model.pieces(this.prefixed(fragment, first), first)) out.push(piece);
    });
    return out;
  }

  /** Stretches of normalised text and tokens found between them, in order; `first`: it is the first of them. */
  private fragments(text: string, parseSpecial: boolean, take: (fragment: Fragment, first: boolean) => void): void {
    for (const { fragment, first } of atOnce(this.fragmentsInTurns(text, parseSpecial))) take(fragment, first);
  }

  private *fragmentsInTurns(text: string, parseSpecial: boolean): Turns<Part[]> {
    const parts: Part[] = [];
    for (const outer of yield* this.find(text, parseSpecial, false)) {
      const inner = typeof outer === 'number' ? [outer] : yield* this.find(yield* this.normaliseInTurns(outer), parseSpecial, true);
      for (const fragment of inner) parts.push({ fragment, first: parts.length === 0 });
    }
    return parts;
  }

  decode(ids: Iterable<number>, options?: { special?: boolean }): string {
    const { special = false } = settings(options);
    checkIterable(ids);
    if (this.spec.rules) return this.spec.rules.decode(this.checked(ids), special);
    let bytes = new Uint8Array(256);
    let used = 0;
    for (const id of ids) {
      const piece = this.visible(id, special) ? this.view(id) : EMPTY;
      if (used + piece.length > bytes.length) bytes = grown(bytes, used + piece.length);
      bytes.set(piece, used);
      used += piece.length;
    }
    const first = this.spec.dropLeadingSpace && bytes[0] === 0x20 && used > 0 ? 1 : 0;
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(first, used));
  }

  token(id: number): string {
    this.check(id);
    return this.contents.get(id) ?? this.written(id);
  }

  id(token: string): number | undefined {
    if (!this.idsByToken) {
      this.idsByToken = new Map();
      const written = this.spec.tokens.toArray();
      for (let id = this.size - 1; id >= 0; id--) this.idsByToken.set(written[id] || this.written(id), id);
      for (const [id, content] of this.contents) this.idsByToken.set(content, id);
      this.idsByToken.delete('');
    }
    return this.idsByToken.get(token);
  }

  bytes(id: number): Uint8Array {
    this.check(id);
    return this.view(id).slice();
  }

  /** The same, perhaps in memory that the next encode changes. */
  private view(id: number): Uint8Array {
    if (this.spec.rules) return this.spec.rules.bytes(id);
    const content = this.contents.get(id);
    if (content !== undefined) return utf8.encode(content);
    const type = this.spec.types[id];
    if (type === TOKEN.normal || type === TOKEN.unused) return this.model.bytes(id);
    const token = this.spec.tokens.at(id)!;
    return type === TOKEN.byte ? Uint8Array.of(Number.parseInt(token.slice(3, 5), 16)) : utf8.encode(token);
  }

  isSpecial(id: number): boolean {
    if (typeof id !== 'number') this.check(id);
    const type = this.spec.types[id];
    return this.added.get(id) ?? (type === TOKEN.control || type === TOKEN.unknown);
  }

  stream(options?: { special?: boolean; previous?: Iterable<number> }): TextStream {
    const { special = false, previous = [] } = settings(options);
    checkIterable(previous);
    if (this.spec.rules) return this.streamByRules(this.spec.rules.stream(special, this.checked(previous)));
    let atStart = this.spec.dropLeadingSpace;
    for (const id of previous) if (atStart && this.visible(id, special) && this.view(id).length) atStart = false;
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    return {
      push: (id) => {
        if (!this.visible(id, special)) return '';
        let bytes = this.view(id);
        if (atStart && bytes.length) {
          if (bytes[0] === 0x20) bytes = bytes.subarray(1);
          atStart = false;
        }
        return decoder.decode(bytes, { stream: true });
      },
      flush: () => decoder.decode(),
    };
  }

  private streamByRules({ push, flush }: TextStream): TextStream {
    return {
      push: (id) => {
        this.check(id);
        return push(id);
      },
      flush,
    };
  }

  private *checked(ids: Iterable<number>): Iterable<number> {
    for (const id of ids) {
      this.check(id);
      yield id;
    }
  }

  /** The vocabulary's own writing; vocabularies of bytes are shown in GPT-2's alphabet. */
  private written(id: number): string {
    const { model, tokens } = this.spec;
    const token = tokens.at(id)!;
    return token || model.model !== 'merge' || model.writing !== 'bytes' ? token : bytesToLetters(this.model.bytes(id));
  }

  private visible(id: number, special: boolean): boolean {
    this.check(id);
    return special || !this.isSpecial(id);
  }

  private check(id: number): void {
    if (Number.isInteger(id) && id >= 0 && id < this.size) return;
    refuse(`a token id from 0 to ${this.size - 1}`, plain(id), 'Use ids of this model\'s own tokenizer.');
  }

  private find(text: string, parseSpecial: boolean, normalized: boolean): Turns<Fragment[]> {
    const key = `${parseSpecial} ${normalized}`;
    let finder = this.finders.get(key);
    if (!finder) {
      const wanted = this.spec.added.filter((token) => (parseSpecial || !token.special) && token.normalized === normalized);
      finder = new TokenFinder(normalized ? wanted.map((token) => ({ ...token, content: this.normalise(token.content) })) : wanted);
      this.finders.set(key, finder);
    }
    return finder.find(text);
  }

  private normalise(text: string): string {
    return atOnce(this.normaliseInTurns(text));
  }

  private *normaliseInTurns(text: string): Turns<string> {
    let made = text;
    for (const step of this.spec.normalise) made = step.inTurns ? yield* step.inTurns(made) : step(made);
    checkGrowth(text.length, made.length);
    return made;
  }

  private prefixed(text: string, first: boolean): string {
    const { when, unlessSpace } = this.spec.prefix;
    const wanted = when === 'always' || (when === 'first' && first);
    return wanted && text && !(unlessSpace && (text[0] === ' ' || text[0] === MARK)) ? ` ${text}` : text;
  }
}

/** Where U+2581 means a space, the kernels have spaces only. */
const unmarked = (text: string): Turns<string> => unmarkSpaces.inTurns!(text);

function mergeModel(spec: TokenizerSpec, model: MergeModel, kernels: KernelSource): Model {
  const engine = new MergeEngine(kernels, spec, model);
  const { split } = spec;
  const marked = model.writing === 'marked';
  /** A text that is not split goes through without its length as a limit. */
  const unsplit = split.scanner && split.scanner.number <= SCAN.spaces ? split.scanner : undefined;
  const written = (text: string): Turns<string> | string => (marked ? unmarked(text) : text);
  function* wordsInTurns(pieces: readonly string[], ids: Ids): Turns<void> {
    if (unsplit && pieces.length === 1) return yield* engine.encodeInTurns(yield* settled(written(pieces[0]!)), unsplit, ids);
    let done = 0;
    for (let at = 0; at < pieces.length; at += WORDS) {
      const some = pieces.slice(at, at + WORDS);
      const text = some.join('');
      yield* toldAs(engine.piecesInTurns(yield* settled(written(text)), some.map((piece) => piece.length), ids), done);
      yield (done += text.length);
    }
  }
  const words = (pieces: readonly string[], ids: Ids) => {
    const text = atOnce(settled(written(pieces.join(''))));
    if (unsplit && pieces.length === 1) engine.encode(text, unsplit, ids);
    else engine.encodePieces(text, pieces.map((piece) => piece.length), ids);
  };
  const beforeSplit = (text: string): Turns<string> | string => (split.marked ? markSpaces.inTurns!(text) : text);
  return {
    encode(given, first, ids) {
      if (split.scanner) return engine.encode(atOnce(settled(written(given))), split.scanner, ids);
      words(splitText(split.steps, atOnce(settled(beforeSplit(given))), first).filter((piece) => piece), ids);
    },
    *encodeInTurns(given, first, ids) {
      if (split.scanner) return yield* engine.encodeInTurns(yield* settled(written(given)), split.scanner, ids);
      const pieces = yield* toldAs(splitInTurns(split.steps, yield* settled(beforeSplit(given)), first), 0);
      yield* wordsInTurns(pieces.filter((piece) => piece), ids);
    },
    words,
    wordsInTurns,
    bytes: (id) => engine.tokenBytes(id),
    pieces(given, first) {
      const text = marked ? given.replaceAll(' ', MARK) : given;
      if (!split.scanner) return splitText(split.steps, split.marked ? text : given, first);
      return split.scanner.number <= SCAN.spaces ? (text ? [text] : []) : cutAtBytes(given, engine.split(given, split.scanner));
    },
  };
}

/** Work that may need no turns. */
function* settled(work: Turns<string> | string): Turns<string> {
  return typeof work === 'string' ? work : yield* work;
}

/** The models that run in TypeScript. */
function scriptModel(spec: TokenizerSpec): Model {
  const { model, tokens, split } = spec;
  if (model.model === 'merge' || model.model === 'rules') return { encode: noModel, encodeInTurns: noModel, words: noModel, wordsInTurns: noModel, bytes: noModel, pieces: noModel };
  const encoder = model.model === 'unigram' ? new UnigramEncoder(spec, model) : model.model === 'wordpiece' ? new WordPieceEncoder(spec, model) : new GreedyEncoder(spec, model);
  const bytes = (id: number): Uint8Array => {
    if (model.model === 'greedy') return model.tokenBytes[id]!;
    const token = tokens.at(id)!;
    return utf8.encode(model.model === 'unigram' ? token.replaceAll(MARK, ' ') : wordText(token, model));
  };
  return {
    encode: (text, first, ids) => splitText(split.steps, text, first).forEach((piece) => encoder.encode(piece, ids)),
    *encodeInTurns(text, first, ids) {
      let done = 0;
      for (const piece of yield* toldAs(splitInTurns(split.steps, text, first), 0)) {
        if (piece.length > LONG_PIECE && encoder instanceof UnigramEncoder) yield* encoder.encodeInTurns(piece, ids);
        else encoder.encode(piece, ids);
        const before = done;
        done += piece.length;
        if (before >> 12 !== done >> 12) yield done;
      }
    },
    words: noModel,
    wordsInTurns: noModel,
    bytes,
    pieces: (text, first) => splitText(split.steps, text, first),
  };
}

/** A text in pieces of so many bytes of UTF-8. */
function cutAtBytes(text: string, lengths: readonly number[]): string[] {
  const bytes = utf8.encode(text);
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let at = 0;
  return lengths.map((length) => decoder.decode(bytes.subarray(at, (at += length))));
}

/** A WordPiece token in running text: a space before a new word, none before the punctuation that Hugging Face's clean-up ties on. */
function wordText(token: string, { mark, marks }: WordPieceModel): string {
  const marked = token.startsWith(mark) && token.length > mark.length;
  const text = marked ? token.slice(mark.length) : token;
  if (marked !== (marks === 'start')) return text;
  return /^(?:[.?!,]|n't|'m|'s|'ve|'re)$/.test(text) ? text : ` ${text}`;
}

const noModel = (): never => {
  throw new TypeError('the rules have the model');
};
const EMPTY = new Uint8Array(0);

function grown(bytes: Uint8Array<ArrayBuffer>, least: number): Uint8Array<ArrayBuffer> {
  const longer = new Uint8Array(Math.max(least, bytes.length * 2));
  longer.set(bytes);
  return longer;
}

function refuse(expected: string, found: string, remedy: string): never {
  throw new StonechatError({ code: 'bad-option', expected, found, remedy });
}

function checkText(text: unknown): void {
  if (typeof text !== 'string') refuse('text to encode as a string', typeof text, 'Pass a string; ids need no encoding.');
}

function checkIterable(ids: unknown): void {
  if (!(Symbol.iterator in Object(ids))) refuse('token ids, one by one', plain(ids), 'Pass a list of ids, also where there is one only.');
}

const FLAGS = ['addSpecial', 'parseSpecial', 'special'];

/** @throws StonechatError `bad-option` for what is no object, and for flags that are neither true nor false. */
function settings<T extends object>(options: T | undefined): Partial<T> {
  if (options === undefined) return {};
  if (typeof options !== 'object' || !options) return refuse('an object of options', plain(options), 'Write { name: value }.');
  for (const name of FLAGS) {
    const value = (options as Record<string, unknown>)[name];
    if (value !== undefined && typeof value !== 'boolean') refuse(`${name} to be true or false`, plain(value), 'Leave it out for the default.');
  }
  const { marks } = options as { marks?: unknown };
  if (marks !== undefined && typeof marks !== 'string') refuse('marks to be a text of 0 and 1', plain(marks), 'Leave it out for none.');
  return options;
}
