import { StringList } from '../files/strings.js';
import { BYTE_LETTERS } from './alphabet.js';
import { Json } from './json.js';
import { emptyPipeline, readDecoder, readNormalizer, readPreTokenizer, splitterOf, type Pipeline } from './pipeline.js';
import { isStopName, STOP_NAMES } from './special.js';
import { TOKEN, type AddedToken, type MergeModel, type Merges, type TokenizerSpec, type UnigramModel, type WordPieceModel } from './spec.js';
import { AT_SPACES, WHOLE, type Splitter } from './split.js';

/** Files beside tokenizer.json, parsed, that say more about special tokens. */
export interface Companions {
  /** tokenizer_config.json */
  config?: Json;
  /** generation_config.json */
  generation?: Json;
  /** special_tokens_map.json */
  special?: Json;
  /** chat_template.jinja, or the template in chat_template.json */
  chatTemplate?: string;
}

/** A Hugging Face tokenizer.json. @throws StonechatError `bad-file`, `unsupported`. */
export function specFromHuggingFace(json: Json, companions: Companions = {}): TokenizerSpec {
  const model = json.get('model');
  const kind = modelKind(model);
  const pipe = emptyPipeline();
  readNormalizer(json.get('normalizer'), pipe);
  readPreTokenizer(json.get('pre_tokenizer'), pipe, kind === 'BPE');
  const decoder = readDecoder(json.get('decoder'));
  if (decoder.byteLevel && kind === 'BPE') pipe.byteLevel = true;
  const added = addedTokens(json.get('added_tokens'));
  const { texts, types, scores } = readVocabulary(model, kind, added);
  const tokens = StringList.from(texts);
  const names = new Names(companions, texts, types);
  const around = readTemplate(json.get('post_processor')) ?? names.around();
  const unk = kind === 'Unigram' ? (model.get('unk_id').exists ? model.get('unk_id').id() : undefined) : names.id(model.get('unk_token').text(kind === 'WordPiece' ? '[UNK]' : ''));
  const common = { tokens, types, added, normalise: pipe.normalise, prefix: pipe.prefix, ...around, ...names.ids(around), ...(unk === undefined ? {} : { unk }) };
  const chatTemplate = companions.chatTemplate ?? templateOf(companions.config);
  const rest = { ...common, ...(chatTemplate === undefined ? {} : { chatTemplate }), dropLeadingSpace: decoder.dropLeadingSpace };
  if (kind === 'BPE') return { kind: 'bpe', ...rest, ...bpe(model, pipe) };
  if (kind === 'Unigram') return { kind: 'unigram', ...rest, split: { steps: pipe.steps }, model: { model: 'unigram', scores: scores!, byteFallback: model.get('byte_fallback').flag(false) } satisfies UnigramModel };
  return { kind: 'wordpiece', ...rest, split: { steps: pipe.steps }, model: wordPiece(model), dropLeadingSpace: true };
}

type Kind = 'BPE' | 'Unigram' | 'WordPiece';

/** Old files leave the type out. */
function modelKind(model: Json): Kind {
  const type = model.get('type').text(model.get('merges').exists ? 'BPE' : model.get('vocab').isList() ? 'Unigram' : 'WordPiece');
  if (type === 'BPE' || type === 'Unigram' || type === 'WordPiece') return type;
  throw model.get('type').unsupported('BPE, Unigram or WordPiece');
}

function addedTokens(list: Json): AddedToken[] {
  return list.list().map((token) => ({
    id: token.get('id').id(),
    content: token.get('content').text(),
    special: token.get('special').flag(false),
    lstrip: token.get('lstrip').flag(false),
    rstrip: token.get('rstrip').flag(false),
    singleWord: token.get('single_word').flag(false),
    normalized: token.get('normalized').flag(!token.get('special').flag(false)),
  }));
}

function readVocabulary(model: Json, kind: Kind, added: readonly AddedToken[]): { texts: string[]; types: Uint8Array; scores?: Float64Array } {
  const texts: string[] = [];
  const scores: number[] = [];
  const vocab = model.get('vocab');
  if (kind === 'Unigram') {
    vocab.rawList().forEach((entry, id) => {
      if (!Array.isArray(entry) || typeof entry[0] !== 'string' || typeof entry[1] !== 'number') throw vocab.wrong(`[token, score] in place ${id}`);
      texts.push(entry[0]);
      scores.push(entry[1]);
    });
  } else {
    for (const [token, id] of vocab.rawEntries()) {
      if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > 1 << 22) throw vocab.wrong(`an id for ${JSON.stringify(token)}`);
      texts[id] = token;
    }
  }
  for (const { id, content } of added) texts[id] = content;
  for (let id = 0; id < texts.length; id++) texts[id] ??= '';
  if (!texts.length) throw vocab.wrong('a vocabulary');
  const types = tokenTypes(texts, model, added);
  return kind === 'Unigram' ? { texts, types, scores: Float64Array.from(texts, (_, id) => scores[id] ?? 0) } : { texts, types };
}

function tokenTypes(tokens: readonly string[], model: Json, added: readonly AddedToken[]): Uint8Array {
  const fallback = model.get('byte_fallback').flag(false);
  const types = Uint8Array.from(tokens, (token) => (fallback && /^<0x[0-9A-F]{2}>$/.test(token) ? TOKEN.byte : TOKEN.normal));
  for (const { id, special } of added) types[id] = special ? TOKEN.control : TOKEN.userDefined;
  return types;
}

function bpe(model: Json, pipe: Pipeline): { split: Splitter; model: MergeModel } {
  for (const key of ['continuing_subword_prefix', 'end_of_word_suffix']) {
    if (model.get(key).text('')) throw model.get(key).unsupported('no affixes');
  }
  const writing = pipe.byteLevel ? 'alphabet' : pipe.marked ? 'marked' : 'plain';
  return {
    split: splitterOf(pipe, writing === 'marked' ? AT_SPACES : WHOLE),
    model: {
      model: 'merge',
      symbols: pipe.byteLevel ? 'bytes' : 'characters',
      writing,
      merges: readMerges(model.get('merges')),
      ignoreMerges: model.get('ignore_merges').flag(false),
      fuseUnknown: model.get('fuse_unk').flag(false),
    },
  };
}

/** "left right", or pairs in newer files. */
function readMerges(json: Json): Merges {
  const merges = json.rawList();
  const pairs = typeof merges[0] === 'object';
  merges.forEach((merge, i) => {
    const good = pairs ? Array.isArray(merge) && merge.length === 2 && merge.every((part) => typeof part === 'string') : typeof merge === 'string';
    if (!good) throw json.wrong(`merge ${i} as ${pairs ? 'a pair' : 'text'}`);
  });
  return pairs ? (merges as [string, string][]) : StringList.from(merges as string[]);
}

function wordPiece(model: Json): WordPieceModel {
  return { model: 'wordpiece', mark: model.get('continuing_subword_prefix').text('##'), marks: 'continuation', longestWord: model.get('max_input_chars_per_word').number(100) };
}

/** Ids around one text: TemplateProcessing, BERT's and RoBERTa's, the last of a sequence. */
function readTemplate(json: Json): { before: number[]; after: number[] } | undefined {
  if (!json.exists) return undefined;
  const type = json.get('type').text();
  if (type === 'Sequence') return json.get('processors').list().map(readTemplate).findLast((found) => found);
  if (type === 'BertProcessing' || type === 'RobertaProcessing') {
    const id = (key: string) => new Json(json.get(key).rawList()[1], `${type}.${key}`).id();
    return { before: [id('cls')], after: [id('sep')] };
  }
  if (type !== 'TemplateProcessing') return undefined;
  const around = { before: [] as number[], after: [] as number[] };
  let side: 'before' | 'after' = 'before';
  for (const part of json.get('single').list()) {
    if (part.get('Sequence').exists) side = 'after';
    else around[side].push(...json.get('special_tokens').get(part.get('SpecialToken').get('id').text()).get('ids').list().map((id) => id.id()));
  }
  return around;
}

const BOS_NAMES = ['<s>', '<|begin_of_text|>', '<bos>', '<|startoftext|>', '<|begin▁of▁sentence|>', '<｜begin▁of▁sentence｜>', '[CLS]'];

/** Special tokens by role, from the companions or their usual names. */
class Names {
  constructor(private readonly companions: Companions, private readonly tokens: readonly string[], private readonly types: Uint8Array) {}

  id(token: string): number | undefined {
    const id = token ? this.tokens.indexOf(token) : -1;
    return id < 0 ? undefined : id;
  }

  around(): { before: number[]; after: number[] } {
    const { config } = this.companions;
    const bos = config?.get('add_bos_token').flag(false) ? this.role('bos_token') : undefined;
    const eos = config?.get('add_eos_token').flag(false) ? this.role('eos_token') : undefined;
    return { before: bos === undefined ? [] : [bos], after: eos === undefined ? [] : [eos] };
  }

  ids({ before }: { before: readonly number[] }): { bos?: number; eos?: number; stop: number[] } {
    const ends = this.generationEnds();
    const bos = this.role('bos_token') ?? before[0] ?? this.first(BOS_NAMES);
    const eos = this.role('eos_token') ?? ends[0] ?? this.first([...STOP_NAMES]);
    return { ...(bos === undefined ? {} : { bos }), ...(eos === undefined ? {} : { eos }), stop: ends };
  }

  private generationEnds(): number[] {
    const ends = this.companions.generation?.get('eos_token_id');
    if (!ends?.exists) return [];
    return (ends.isList() ? ends.list() : [ends]).map((end) => end.id()).filter((id) => id < this.types.length);
  }

  /** The id of `bos_token` …: text, or an object with the text as content. */
  private role(name: string): number | undefined {
    for (const source of [this.companions.config, this.companions.special]) {
      const value = source?.get(name);
      if (value?.exists) return this.id(value.isText() ? value.text() : value.get('content').text(''));
    }
    return undefined;
  }

  private first(names: readonly string[]): number | undefined {
    const id = this.tokens.findIndex((token, at) => this.types[at] === TOKEN.control && names.includes(token));
    return id < 0 ? undefined : id;
  }
}

/** A template, or of several named ones the default. */
function templateOf(config: Json | undefined): string | undefined {
  const template = config?.get('chat_template');
  if (!template?.exists) return undefined;
  if (template.isText()) return template.text();
  const all = template.list();
  return (all.find((one) => one.get('name').text('') === 'default') ?? all[0])?.get('template').text();
}

/** vocab.json and merges.txt of older byte-level models, as the tokenizer.json that they mean. */
export function specFromVocabulary(vocab: Json, mergesText: string, companions: Companions): TokenizerSpec {
  const merges = mergesText.split(/\r?\n/).filter((line) => line && !line.startsWith('#version'));
  const entries = vocab.rawEntries();
  const special = entries.filter(([token]) => /^<\|?[\w ]+\|?>$/.test(token) && [...token].every((char) => BYTE_LETTERS.includes(char.charCodeAt(0))));
  const stops = special.filter(([token]) => isStopName(token));
  const file = {
    added_tokens: stops.map(([content, id]) => ({ id, content, special: true, normalized: false })),
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false },
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab: Object.fromEntries(entries), merges },
  };
  return specFromHuggingFace(new Json(file, 'vocab.json'), companions);
}
