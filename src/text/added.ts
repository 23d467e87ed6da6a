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

  add(token: Properties): void {
    if (!token.content) return;
    const id = this.byContent.get(token.content)?.id ?? this.idOf(token.content) ?? this.next++;
    this.byContent.set(token.content, { ...token, id });
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
 * Roles and extra tokens become special.
 */
export function readAddedTokens(list: Json, companions: Companions, tokens: AddedTokens): AddedToken[] {
  for (const token of list.list()) tokens.add(propertiesOf(token));
  const named = new Map<string, Properties>();
  const { config, added } = companions;
  const decoder = config?.get('added_tokens_decoder');
  const roles = specialTokens(companions);
  if (decoder?.exists) for (const token of byId(decoder)) named.set(token.content, token);
  else if (added?.exists) for (const token of oldTokens(added, roles)) if (!tokens.get(token.content)) named.set(token.content, token);
  for (const token of named.values()) tokens.add(token);
  for (const role of roles) tokens.add({ ...(tokens.get(role.content) ?? role), special: true });
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

/** The tokens with a role, then those without a name. */
function specialTokens(companions: Companions): Properties[] {
  const sources = roleSources(companions);
  const names = new Set([...STANDARD_ROLES, ...sources.flatMap((source) => source.rawEntries().map(([name]) => name).filter((name) => name.endsWith('_token')))]);
  const roles = [...names].flatMap((name) => {
    const value = sources.map((source) => source.get(name)).find((one) => one.isText() || one.get('content').isText());
    return value ? [valueOf(value)] : [];
  });
  return [...roles, ...extraTokens(sources)];
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
