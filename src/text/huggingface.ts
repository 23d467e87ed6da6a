import { StringList } from '../files/strings.js';
import { AddedTokens, readAddedTokens, roleSources, type Companions } from './added.js';
import { BYTE_LETTERS } from './alphabet.js';
import { loadForms } from './forms.js';
import { Json } from './json.js';
import { asksForForms, emptyPipeline, readDecoder, readNormalizer, readPreTokenizer, splitterOf, type Pipeline } from './pipeline.js';
import { isPlain, mergesInKernels } from './plain.js';
import { specialNames } from './roles.js';
import { isStopName, STOP_NAMES } from './special.js';
import { TOKEN, type AddedToken, type MergeModel, type Merges, type TokenizerSpec } from './spec.js';
import { AT_SPACES, WHOLE } from './split.js';

export type { Companions } from './added.js';

/** A Hugging Face tokenizer.json. The rules are loaded only for files that say more than a plain spec does. @throws StonechatError `bad-file`, `unsupported`. */
export async function specFromHuggingFace(json: Json, companions: Companions = {}): Promise<TokenizerSpec> {
  if (asksForForms(json.get('normalizer'))) await loadForms();
  const { spec, plain, kernels } = readPlainly(json, companions);
  if (plain) return spec;
  const { readRules } = await import('./rules/index.js');
  return { ...spec, rules: readRules(json, { tokens: spec.tokens.toArray(), added: spec.added, kernels }) };
}

/** What a spec can say of the file; whether that is all (`plain`), and whether the kernels can merge its words. */
function readPlainly(json: Json, companions: Companions): { spec: TokenizerSpec; plain: boolean; kernels: boolean } {
  const model = json.get('model');
  const kind = modelKind(model);
  const pipe = readPipeline(json, kind);
  const { tokens, added, types, idOf } = readTokens(json, kind, companions);
  const names = new Names(companions, idOf, added, tokens.length);
  const around = json.get('post_processor').exists ? readTemplate(json.get('post_processor')) : names.around();
  const unk = kind === 'Unigram' ? optionalId(model.get('unk_id')) : idOf(model.get('unk_token').text(kind === 'WordPiece' ? '[UNK]' : ''));
  const chatTemplate = companions.chatTemplate ?? templateOf(companions.config);
  const split = splitterOf(pipe, pipe.marked ? AT_SPACES : WHOLE);
  const facts = { json, pipe, split, added, idOf };
  const kernels = kind === 'BPE' && mergesInKernels(facts);
  const spec: TokenizerSpec = {
    kind: kind.toLowerCase(), tokens, types, added, normalise: pipe.normalise, prefix: pipe.prefix, split, beyond: [...pipe.names, ...pipe.beyond, ...beyondModel(model)],
    names: specialNames(roleSources(companions)), ...around, ...names.ids(around), ...(unk === undefined ? {} : { unk }), ...(chatTemplate === undefined ? {} : { chatTemplate }),
    dropLeadingSpace: readDecoder(json.get('decoder')).dropLeadingSpace,
    model: kind === 'BPE' ? mergeModel(model, pipe) : { model: 'rules' },
  };
  return { spec, plain: kind === 'BPE' && isPlain(facts), kernels };
}

type Kind = 'BPE' | 'Unigram' | 'WordPiece' | 'WordLevel';

/** Old files leave the type out. */
function modelKind(model: Json): Kind {
  const type = model.get('type').text(model.get('merges').exists ? 'BPE' : model.get('vocab').isList() ? 'Unigram' : 'WordPiece');
  if (type === 'BPE' || type === 'Unigram' || type === 'WordPiece' || type === 'WordLevel') return type;
  throw model.get('type').unsupported('BPE, Unigram, WordPiece or WordLevel');
}

const optionalId = (json: Json): number | undefined => (json.exists ? json.id() : undefined);

/** What one merge list cannot say. @throws StonechatError `unsupported` for dropout: ids that change from call to call. */
function beyondModel(model: Json): string[] {
  if (model.get('dropout').number(0)) throw model.get('dropout').unsupported('no dropout');
  return ['continuing_subword_prefix', 'end_of_word_suffix'].filter((key) => model.get(key).text('') && model.get('merges').exists);
}

function readPipeline(json: Json, kind: Kind): Pipeline {
  const pipe = emptyPipeline();
  readNormalizer(json.get('normalizer'), pipe);
  readPreTokenizer(json.get('pre_tokenizer'), pipe, kind === 'BPE');
  if (kind === 'BPE' && !pipe.byteLevel && readDecoder(json.get('decoder')).byteLevel) pipe.byteLevel = pipe.lettersEarly = true;
  return pipe;
}

interface Tokens {
  tokens: StringList;
  types: Uint8Array;
  added: readonly AddedToken[];
  /** Of the model's own vocabulary and the added tokens. */
  idOf: (token: string) => number | undefined;
}

/** The vocabulary and the added tokens, which keep their ids there or get the next ones. */
function readTokens(json: Json, kind: Kind, companions: Companions): Tokens {
  const model = json.get('model');
  const { texts, count, idOf } = readVocabulary(model.get('vocab'), kind);
  const added = readAddedTokens(json.get('added_tokens'), companions, new AddedTokens(idOf, count));
  for (const { id, content } of added) texts[id] = content;
  for (let id = 0; id < texts.length; id++) texts[id] ??= '';
  if (!texts.length) throw model.get('vocab').wrong('a vocabulary');
  const ids = new Map(added.map(({ content, id }) => [content, id]));
  return { tokens: StringList.from(texts), added, types: tokenTypes(texts, model, added, idOf), idOf: (token) => ids.get(token) ?? idOf(token) };
}

/** By id. `count`: how many tokens there are, which is the next free id. */
function readVocabulary(vocab: Json, kind: Kind): { texts: string[]; count: number; idOf: Tokens['idOf'] } {
  if (kind === 'Unigram') return readScored(vocab);
  const texts: string[] = [];
  const entries = vocab.rawEntries();
  for (const [token, id] of entries) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > 1 << 22) throw vocab.wrong(`an id for ${JSON.stringify(token)}`);
    texts[id] = token;
  }
  return { texts, count: entries.length, idOf: (token) => optionalId(vocab.get(token)) };
}

function readScored(vocab: Json): { texts: string[]; count: number; idOf: Tokens['idOf'] } {
  const texts: string[] = [];
  vocab.rawList().forEach((entry, id) => {
    if (!Array.isArray(entry) || typeof entry[0] !== 'string' || typeof entry[1] !== 'number') throw vocab.wrong(`[token, score] in place ${id}`);
    texts.push(entry[0]);
  });
  const ids = new Map(texts.map((token, id) => [token, id]));
  return { texts, count: texts.length, idOf: (token) => ids.get(token) };
}

/** Tokens that are added but not special stay normal where the vocabulary has them: merges may form them. */
function tokenTypes(tokens: readonly string[], model: Json, added: readonly AddedToken[], idOf: Tokens['idOf']): Uint8Array {
  const fallback = model.get('byte_fallback').flag(false);
  const types = Uint8Array.from(tokens, (token) => (fallback && /^<0x[0-9A-F]{2}>$/.test(token) ? TOKEN.byte : TOKEN.normal));
  for (const { id, content, special } of added) {
    if (types[id] !== TOKEN.byte && (special || idOf(content) === undefined)) types[id] = special ? TOKEN.control : TOKEN.userDefined;
  }
  return types;
}

function mergeModel(model: Json, pipe: Pipeline): MergeModel {
  return {
    model: 'merge',
    symbols: pipe.byteLevel ? 'bytes' : 'characters',
    writing: pipe.byteLevel ? 'alphabet' : pipe.marked ? 'marked' : 'plain',
    merges: readMerges(model.get('merges')),
    ignoreMerges: model.get('ignore_merges').flag(false),
    fuseUnknown: model.get('fuse_unk').flag(false),
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

/** Ids around one text: TemplateProcessing, BERT's and RoBERTa's; of a sequence each around what the one before made. */
function readTemplate(json: Json): { before: number[]; after: number[] } {
  if (!json.exists) return NONE;
  const type = json.get('type').text();
  if (type === 'Sequence') {
    const parts = json.get('processors').list().map(readTemplate);
    return { before: parts.toReversed().flatMap(({ before }) => before), after: parts.flatMap(({ after }) => after) };
  }
  if (type === 'BertProcessing' || type === 'RobertaProcessing') {
    const id = (key: string) => new Json(json.get(key).rawList()[1], `${type}.${key}`).id();
    return { before: [id('cls')], after: [id('sep')] };
  }
  if (type === 'ByteLevel') return NONE;
  if (type !== 'TemplateProcessing') throw json.get('type').unsupported('a known post-processor');
  return aroundText(json);
}

function aroundText(json: Json): { before: number[]; after: number[] } {
  const around = { before: [] as number[], after: [] as number[] };
  const parts = json.get('single').list();
  if (parts.filter((part) => part.get('Sequence').exists).length !== 1) throw json.get('single').unsupported('a template with one text');
  let side: 'before' | 'after' = 'before';
  for (const part of parts) {
    if (part.get('Sequence').exists) side = 'after';
    else around[side].push(...json.get('special_tokens').get(part.get('SpecialToken').get('id').text()).get('ids').list().map((id) => id.id()));
  }
  return around;
}

const BOS_NAMES = ['<s>', '<|begin_of_text|>', '<bos>', '<|startoftext|>', '<|begin▁of▁sentence|>', '<｜begin▁of▁sentence｜>', '[CLS]'];
const NONE = { before: [], after: [] };

/** Special tokens by role, from the companions or their usual names. */
class Names {
  constructor(private readonly companions: Companions, private readonly idOf: Tokens['idOf'], private readonly added: readonly AddedToken[], private readonly size: number) {}

  /** What tokenizer_config.json says where there is no post-processor. */
  around(): { before: number[]; after: number[] } {
    const { config } = this.companions;
    const [before, after] = ['bos', 'eos'].map((name) => (config?.get(`add_${name}_token`).flag(false) ? [this.role(`${name}_token`)].filter((id) => id !== undefined) : []));
    return { before: before!, after: after! };
  }

  ids({ before }: { before: readonly number[] }): { bos?: number; eos?: number; stop: number[] } {
    const ends = this.ends();
    const bos = this.role('bos_token') ?? before[0] ?? this.first(BOS_NAMES);
    const eos = this.role('eos_token') ?? ends[0] ?? this.first([...STOP_NAMES]);
    return { ...(bos === undefined ? {} : { bos }), ...(eos === undefined ? {} : { eos }), stop: ends };
  }

  /** Of generation_config.json, or where there is none of config.json: a number or a list. */
  private ends(): number[] {
    const { generation, model } = this.companions;
    const source = generation ? generation.get('eos_token_id') : [model?.get('eos_token_id'), model?.get('text_config').get('eos_token_id')].find((one) => one?.exists);
    if (!source?.exists) return [];
    return (source.isList() ? source.list() : [source]).map((end) => end.id()).filter((id) => id < this.size);
  }

  /** The id of `bos_token` …: text, or an object with the text as content. */
  private role(name: string): number | undefined {
    for (const source of roleSources(this.companions)) {
      const value = source.get(name);
      if (value.exists) return this.idOf(value.isText() ? value.text() : value.get('content').text(''));
    }
    return undefined;
  }

  private first(names: readonly string[]): number | undefined {
    return this.added.find(({ content, special }) => special && names.includes(content))?.id;
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
export async function specFromVocabulary(vocab: Json, mergesText: string, companions: Companions): Promise<TokenizerSpec> {
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
