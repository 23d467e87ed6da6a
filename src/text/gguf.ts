import { StonechatError } from '../errors.js';
import { StringList } from '../files/strings.js';
import type { MetadataValue } from '../files/types.js';
import { charsmap } from './charsmap.js';
import { forms } from './forms.js';
import { BERT_PUNCTUATION, local, mergeSpaces, SPACES } from './normalise.js';
import { familySplitter, preTokenizer } from './patterns.js';
import { compilePattern } from './regex.js';
import { isStopName, mayBeNamed } from './special.js';
import { byteOf, idsOfType, TOKEN, type AddedToken, type TokenizerSpec } from './spec.js';
import { AT_SPACES, cut, marking, WHOLE, type Splitter } from './split.js';

type Metadata = ReadonlyMap<string, MetadataValue>;

/** Types that few tokens are of. */
const OTHER_TYPES = Object.values(TOKEN).filter((type) => type !== TOKEN.normal);

/** The tokenizer in a GGUF file's metadata, by llama.cpp's rules. @throws StonechatError `unsupported`, `bad-file`, `not-found`. */
export function specFromGguf(metadata: Metadata): TokenizerSpec {
  const model = metadata.get('tokenizer.ggml.model');
  if (model === 'llama') return llama(new Vocabulary(metadata));
  if (model === 'gpt2' || model === 'gemma4') return gpt2(new Vocabulary(metadata), model);
  if (model === 'bert') return bert(new Vocabulary(metadata));
  if (model === 't5') return t5(new Vocabulary(metadata));
  if (model === 'rwkv') return rwkv(new Vocabulary(metadata));
  throw new StonechatError({
    code: model === undefined ? 'not-found' : 'unsupported',
    expected: 'a tokenizer.ggml.model of llama, gpt2, gemma4, bert, t5 or rwkv',
    found: model === undefined ? 'no tokenizer in the metadata' : `${typeof model} ${String(model).slice(0, 80)}`,
    remedy: 'Name a tokenizer file of this model by the tokenizer option (--tokenizer).',
  });
}

/** What Hugging Face and GGUF call special tokens, beside BOS and EOS. */
const NAMES = { unk_token: 'unknown', pad_token: 'padding', sep_token: 'seperator', cls_token: 'cls', mask_token: 'mask' } as const;

/** What all kinds share: tokens, their types and scores, ids by name. */
class Vocabulary {
  readonly tokens: StringList;
  readonly types: Uint8Array;

  constructor(readonly metadata: Metadata) {
    this.tokens = this.strings('tokens') ?? StringList.from([]);
    if (!this.tokens.length) throw damaged('a list of tokens', 'none');
    this.types = this.readTypes();
  }

  text(key: string): string | undefined {
    const value = this.metadata.get(`tokenizer.${key}`);
    return typeof value === 'string' ? value : undefined;
  }

  flag(key: string, otherwise: boolean): boolean {
    const value = this.metadata.get(`tokenizer.ggml.${key}`);
    return typeof value === 'boolean' ? value : otherwise;
  }

  /** A special id; out of range is as if it were not there, as in llama.cpp. */
  id(name: string, otherwise?: number): number | undefined {
    const value = Number(this.metadata.get(`tokenizer.ggml.${name}_token_id`) ?? otherwise);
    return Number.isInteger(value) && value >= 0 && value < this.tokens.length ? value : undefined;
  }

  numbers(key: string): (ArrayLike<number> & Pick<Uint8Array, 'indexOf'>) | undefined {
    const value = this.metadata.get(`tokenizer.ggml.${key}`);
    if (value === undefined) return undefined;
    if (!ArrayBuffer.isView(value) || value instanceof BigInt64Array || value instanceof BigUint64Array) throw damaged(`numbers in ${key}`, typeof value);
    return value as unknown as ArrayLike<number> & Pick<Uint8Array, 'indexOf'>;
  }

  scores(): Float32Array {
    const scores = this.numbers('scores') ?? new Float32Array(this.tokens.length);
    if (scores.length < this.tokens.length) throw damaged(`${this.tokens.length} scores`, String(scores.length));
    return new Float32Array(scores).subarray(0, this.tokens.length);
  }

  strings(key: string): StringList | undefined {
    const value = this.metadata.get(`tokenizer.ggml.${key}`);
    if (value === undefined || value instanceof StringList) return value;
    if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) throw damaged(`strings in ${key}`, typeof value);
    return StringList.from(value as readonly string[]);
  }

  /** Control, unknown and user-defined tokens. Phi-3's swallow the white space behind them. */
  added(): AddedToken[] {
    const phi3 = /phi-?3/i.test(String(this.metadata.get('general.name') ?? ''));
    const ids = [TOKEN.control, TOKEN.unknown, TOKEN.userDefined].flatMap((type) => idsOfType(this.types, type)).sort((a, b) => a - b);
    return ids.map((id) => {
      const content = this.tokens.at(id)!;
      const rstrip = phi3 && !['<unk>', '<s>', '<|endoftext|>'].includes(content);
      return { id, content, special: this.types[id] !== TOKEN.userDefined, lstrip: false, rstrip, singleWord: false, normalized: false };
    });
  }

  /** The parts of a spec that do not depend on the model. */
  common(ids: { bos?: number; eos?: number; unk?: number }) {
    const bos = this.id('bos', ids.bos);
    const eos = this.id('eos', ids.eos);
    const unk = this.id('unknown', ids.unk);
    const stop = ['eot', 'eom'].flatMap((name) => this.id(name) ?? []);
    const chatTemplate = this.text('chat_template');
    return {
      tokens: this.tokens, types: this.types, added: this.added(), stop, names: this.names(),
      ...(bos === undefined ? {} : { bos }), ...(eos === undefined ? {} : { eos }), ...(unk === undefined ? {} : { unk }),
      ...(chatTemplate === undefined ? {} : { chatTemplate }),
    };
  }

  private names(): Record<string, string> {
    return Object.fromEntries(Object.entries(NAMES).flatMap(([name, key]) => {
      const id = this.id(key);
      return id === undefined ? [] : [[name, this.tokens.at(id)!]];
    }));
  }

  /** Ids that addSpecial puts in front and behind, by the file's flags or the model's habit. */
  around(spec: { bos?: number; eos?: number }, addBos: boolean, addEos: boolean): { before: number[]; after: number[] } {
    return {
      before: this.flag('add_bos_token', addBos) && spec.bos !== undefined ? [spec.bos] : [],
      after: this.flag('add_eos_token', addEos) && spec.eos !== undefined ? [spec.eos] : [],
    };
  }

  private readTypes(): Uint8Array {
    const given = this.numbers('token_type');
    if (given && given.length < this.tokens.length) throw damaged(`${this.tokens.length} token types`, String(given.length));
    const types = new Uint8Array(this.tokens.length).fill(TOKEN.normal);
    if (given) for (const type of OTHER_TYPES) for (const id of idsOfType(given, type)) if (id < types.length) types[id] = type;
    for (const id of idsOfType(types, TOKEN.byte)) if (byteOf(this.tokens, id) < 0) types[id] = TOKEN.normal;
    for (const id of mayBeNamed(this.tokens)) if (types[id] !== TOKEN.byte) types[id] = typeOfNamed(this.tokens.at(id)!, given?.[id]);
    return types;
  }
}

/** The type of a token that begins as byte tokens and those that end a text do. */
function typeOfNamed(token: string, given: number | undefined): number {
  const type = given ?? (/^<0x[0-9A-F]{2}>$/.test(token) ? TOKEN.byte : TOKEN.normal);
  // Converters sometimes leave end tokens as normal ones; llama.cpp makes them control tokens too.
  if (type !== TOKEN.control && isStopName(token) && token !== '</s>') return TOKEN.control;
  if (type === TOKEN.byte && !/^<0x[0-9A-Fa-f]{2}>$/.test(token)) return TOKEN.normal;
  return type >= 1 && type <= 6 ? type : TOKEN.normal;
}

function llama(vocabulary: Vocabulary): TokenizerSpec {
  const common = vocabulary.common({ bos: 1, eos: 2, unk: 0 });
  const prefixed = vocabulary.flag('add_space_prefix', true);
  return {
    kind: 'spm',
    ...common,
    ...vocabulary.around(common, true, false),
    normalise: [],
    prefix: { when: prefixed ? 'always' : 'never' },
    split: AT_SPACES,
    model: { model: 'merge', symbols: 'characters', writing: 'marked', scores: vocabulary.scores(), ignoreMerges: false, fuseUnknown: true },
    dropLeadingSpace: prefixed,
  };
}

function gpt2(vocabulary: Vocabulary, model: string): TokenizerSpec {
  const pre = preTokenizer(model === 'gemma4' ? 'gemma4' : vocabulary.text('ggml.pre'));
  const common = vocabulary.common({});
  const merges = vocabulary.strings('merges');
  // Kimi K2 has ranks only: the ids.
  if (!merges && vocabulary.text('ggml.pre') !== 'kimi-k2') throw damaged('tokenizer.ggml.merges', 'none');
  return {
    kind: 'bpe',
    ...common,
    ...vocabulary.around(common, pre.addBos ?? false, false),
    normalise: [],
    prefix: { when: vocabulary.flag('add_space_prefix', false) ? 'always' : 'never' },
    split: familySplitter(pre.family),
    model: {
      model: 'merge', symbols: pre.marked ? 'characters' : 'bytes', writing: pre.marked ? 'marked' : 'alphabet',
      ...(merges ? { merges } : {}),
      ignoreMerges: pre.ignoreMerges ?? false, fuseUnknown: false,
    },
    dropLeadingSpace: false,
  };
}

/** Compiled when they are asked for: patterns are loaded by then. */
const BERT_WORDS: Splitter = { get steps() { return [cut(compilePattern(SPACES, 'perl', true), 'removed'), cut(compilePattern(BERT_PUNCTUATION, 'perl', true))]; } };

function bert(vocabulary: Vocabulary): TokenizerSpec {
  const common = vocabulary.common({ bos: 101, unk: 100 });
  const lowercase = vocabulary.flag('normalizer.lowercase', true);
  const stripAccents = vocabulary.flag('normalizer.strip_accents', lowercase);
  const separator = vocabulary.id('seperator', vocabulary.id('separator', 102));
  return {
    kind: 'wordpiece',
    ...common,
    before: common.bos === undefined ? [] : [common.bos],
    after: separator === undefined ? [] : [separator],
    normalise: [local((text) => forms().bertText(text, { lowercase, stripAccents }), (_, next) => forms().isBoundary('NFD')(next))],
    prefix: { when: 'never' },
    split: BERT_WORDS,
    model: { model: 'wordpiece', mark: '\u2581', marks: 'start', longestWord: Infinity },
    dropLeadingSpace: true,
  };
}

function t5(vocabulary: Vocabulary): TokenizerSpec {
  const common = vocabulary.common({ eos: 1, unk: 2 });
  const map = vocabulary.numbers('precompiled_charsmap');
  const merge = vocabulary.flag('remove_extra_whitespaces', false);
  const prefix = vocabulary.flag('add_space_prefix', true) ? '\u2581' : '';
  return {
    kind: 'unigram',
    ...common,
    ...vocabulary.around(common, false, true),
    normalise: [...(map ? [charsmap(Uint8Array.from(map))] : []), ...(merge ? [mergeSpaces] : [])],
    prefix: { when: 'never' },
    split: { steps: [marking((text) => (/[^ ]/.test(text) ? prefix : ''))] },
    model: { model: 'unigram', scores: vocabulary.scores(), byteFallback: common.types.includes(TOKEN.byte) },
    dropLeadingSpace: prefix !== '',
  };
}

function rwkv(vocabulary: Vocabulary): TokenizerSpec {
  const common = vocabulary.common({});
  return {
    kind: 'rwkv',
    ...common,
    before: [],
    after: [],
    normalise: [],
    prefix: { when: 'never' },
    split: WHOLE,
    model: { model: 'greedy', tokenBytes: common.tokens.toArray().map(unescapeRwkv) },
    dropLeadingSpace: false,
  };
}

/** RWKV tokens in GGUF escape bytes as \t \n \r \xNN. */
function unescapeRwkv(token: string): Uint8Array {
  const encoder = new TextEncoder();
  const bytes: number[] = [];
  for (const [part, hex, letter] of token.matchAll(/\\x([0-9a-f]{2})|\\([^])|[^\\]+|\\$/gi)) {
    if (hex) bytes.push(Number.parseInt(hex, 16));
    else if (letter) bytes.push(...encoder.encode({ t: '\t', n: '\n', r: '\r' }[letter] ?? letter));
    else bytes.push(...encoder.encode(part));
  }
  return Uint8Array.from(bytes);
}

const damaged = (expected: string, found: string) =>
  new StonechatError({ code: 'bad-file', expected: `${expected} in the GGUF metadata`, found, remedy: 'The file is damaged; convert or download it again.' });
