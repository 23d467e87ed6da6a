import type { Json } from './json.js';
import type { AddedToken } from './spec.js';

/** Files beside tokenizer.json, parsed, that say more about special tokens. */
export interface Companions {
  /** tokenizer_config.json */
  config?: Json;
  /** generation_config.json */
  generation?: Json;
  /** config.json */
  model?: Json;
  /** special_tokens_map.json */
  special?: Json;
  /** added_tokens.json */
  added?: Json;
  /** chat_template.jinja, or the template in chat_template.json */
  chatTemplate?: string;
}

type Properties = Omit<AddedToken, 'id'>;

const STANDARD_ROLES = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'];

/** Added tokens by content, in the order in which they were first added. Ids follow Rust's tokenizers: the vocabulary's, or the next free one. */
export class AddedTokens {
  private readonly byContent = new Map<string, AddedToken>();
  private next: number;

  constructor(private readonly idOf: (token: string) => number | undefined, private readonly size: number) {
    this.next = size;
  }

  /** `rows`: of the embedding; a new token that it has no row for is left out. */
  add(token: Properties, rows = Infinity): void {
    const known = this.byContent.get(token.content)?.id ?? this.idOf(token.content);
    if (!token.content || (known === undefined && this.next >= rows)) return;
    this.byContent.set(token.content, { ...token, id: known ?? this.next++ });
  }

  get(content: string): AddedToken | undefined {
    return this.byContent.get(content);
  }

  list(): AddedToken[] {
    return [...this.byContent.values()];
  }
}

function propertiesOf(json: Json, special?: boolean): Properties {
  const isSpecial = special ?? json.get('special').flag(false);
  return {
    content: json.get('content').text(),
    special: isSpecial,
    lstrip: json.get('lstrip').flag(false),
    rstrip: json.get('rstrip').flag(false),
    singleWord: json.get('single_word').flag(false),
    normalized: json.get('normalized').flag(!isSpecial),
  };
}

const plainToken = (content: string, special: boolean): Properties => ({ content, special, lstrip: false, rstrip: false, singleWord: false, normalized: !special });
const valueOf = (json: Json): Properties => (json.isText() ? plainToken(json.text(), true) : propertiesOf(json));

/**
 * The tokens that tokenizer.json and the files beside it add, as transformers 5 does:
 *   tokenizer.json's own; `added_tokens_decoder`, or without it added_tokens.json; the roles (`bos_token` …, special_tokens_map.json where
 *   there is no `added_tokens_decoder`); `extra_special_tokens` or, as it was called, `additional_special_tokens`.
 * Each list adds what those before it have not. Tokens with a role become special, unless they stand in tokenizer.json already. Of those that are not in tokenizer.json, none gets an id that config.json has no room for.
 */
export function readAddedTokens(list: Json, companions: Companions, tokens: AddedTokens): AddedToken[] {
  const own = list.list().map((token) => propertiesOf(token));
  for (const token of own) tokens.add(token);
  const { config, added, model } = companions;
  const size = [model?.get('vocab_size'), model?.get('text_config').get('vocab_size')].find((one) => one?.exists);
  const rows = size?.number() ?? Infinity;
  const decoder = config?.get('added_tokens_decoder');
  const { roles, extra } = specialTokens(companions);
  const more = decoder?.exists ? byId(decoder) : added?.exists ? oldTokens(added, [...roles, ...extra]).filter(({ content }) => !tokens.get(content)) : [];
  const named = new Set(roles.map(({ content }) => content));
  for (const token of more) tokens.add({ ...token, special: token.special || named.has(token.content) }, rows);
  const known = new Set([...own, ...more].map(({ content }) => content));
  for (const token of [...roles, ...extra]) if (!known.has(token.content)) tokens.add({ ...token, special: token.special || named.has(token.content) }, rows);
  const all = tokens.list();
  if (LLAMA_CLASS.test(config?.get('tokenizer_class').text('') ?? '')) for (const token of all) token.normalized = false;
  return all;
}

/** transformers builds Llama's tokenizer anew without a normalizer: its added tokens are found in the text as it is. */
const LLAMA_CLASS = /^(Code)?LlamaTokenizer(Fast)?$/;

function byId(decoder: Json): Properties[] {
  const ids = decoder.rawEntries().map(([id]) => id).sort((a, b) => Number(a) - Number(b));
  return ids.map((id) => propertiesOf(decoder.get(id)));
}

/** added_tokens.json: `{"content": id}`. */
function oldTokens(added: Json, roles: readonly Properties[]): Properties[] {
  const special = new Set(roles.map(({ content }) => content));
  const entries = added.rawEntries().map(([content]) => ({ content, id: added.get(content).id() }));
  return entries.sort((a, b) => a.id - b.id).map(({ content }) => plainToken(content, special.has(content)));
}

/** The tokens with a role, and those without a name. */
function specialTokens(companions: Companions): { roles: Properties[]; extra: Properties[] } {
  const sources = roleSources(companions);
  const names = new Set([...STANDARD_ROLES, ...sources.flatMap((source) => source.rawEntries().map(([name]) => name).filter((name) => name.endsWith('_token')))]);
  const roles = [...names].flatMap((name) => {
    const value = sources.map((source) => source.get(name)).find((one) => one.isText() || one.get('content').isText());
    return value ? [valueOf(value)] : [];
  });
  return { roles, extra: extraTokens(sources) };
}

/** Where roles stand, the one that counts first. */
export function roleSources({ config, special }: Companions): Json[] {
  const sources = config?.get('added_tokens_decoder').exists ? [config] : [special, config];
  return sources.flatMap((source) => (source?.exists ? [source] : []));
}

function extraTokens(sources: readonly Json[]): Properties[] {
  const lists = sources.flatMap((source) => ['extra_special_tokens', 'additional_special_tokens'].map((name) => source.get(name))).filter((one) => one.exists);
  return lists.flatMap((list) => {
    if (list.isList()) return list.list().map(valueOf);
    return list.rawEntries().map(([name]) => valueOf(list.get(name)));
  });
}
