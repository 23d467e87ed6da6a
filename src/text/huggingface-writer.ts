import { unsupported } from '../files/refuse.js';
import type { StringList } from '../files/strings.js';
import { folderLosses, PLAIN_NORMALIZERS, refuseLosses } from './losses.js';
import { familyOf, familyPatterns, type FamilyName } from './patterns.js';
import { TOKEN, type MergeModel, type Merges, type TokenizerSpec } from './spec.js';

export interface TokenizerFiles {
  readonly 'tokenizer.json': string;
  readonly 'tokenizer_config.json': string;
}

type Json = Record<string, unknown>;

/** A tokenizer as Hugging Face's files. @throws StonechatError `unsupported` for kinds that causal language models there do not use, and unless `force` for what is not written. */
export function huggingFaceTokenizer(spec: TokenizerSpec, force = false): TokenizerFiles {
  const { model } = spec;
  if (model.model !== 'merge') throw unsupported('a tokenizer of byte pair encoding', spec.kind, 'Keep the GGUF file: this kind is only read.');
  refuseLosses('a folder written here', folderLosses(spec), force);
  const parts = model.writing === 'alphabet' ? byteLevelParts(spec) : markedParts(spec);
  const tokenizer = {
    version: '1.0', truncation: null, padding: null,
    added_tokens: spec.added.map(({ id, content, special, lstrip, rstrip, singleWord, normalized }) => ({ id, content, single_word: singleWord, lstrip, rstrip, normalized, special })),
    ...parts,
    post_processor: templateJson(spec.before, spec.after, spec.tokens),
    model: mergeJson(spec, model),
  };
  return { 'tokenizer.json': `${JSON.stringify(tokenizer)}\n`, 'tokenizer_config.json': `${JSON.stringify(configOf(spec), null, 2)}\n` };
}

/** Where BOS and EOS stand alone, transformers goes by these flags; what else stands around a text is for the template. */
function configOf({ tokens, bos, eos, unk, before, after, chatTemplate }: TokenizerSpec): Json {
  const alone = (ids: readonly number[], one: number | undefined) => ids.length === 0 || (ids.length === 1 && ids[0] === one);
  const flags = alone(before, bos) && alone(after, eos) ? { add_bos_token: before.length > 0, add_eos_token: after.length > 0 } : {};
  const name = (id: number | undefined) => (id === undefined ? undefined : tokens.at(id));
  return {
    tokenizer_class: 'PreTrainedTokenizerFast', bos_token: name(bos), eos_token: name(eos), unk_token: name(unk),
    ...flags, clean_up_tokenization_spaces: false, chat_template: chatTemplate,
  };
}

function byteLevelParts({ split, prefix, beyond = [] }: TokenizerSpec): Json {
  const family = familyOf(split.scanner);
  if (!family) throw unsupported('a way of splitting words that is written down (gpt2, smollm, llama3, qwen2, o200k)', 'another one', 'Keep the tokenizer.json that this model came with beside the weights.');
  return {
    normalizer: inOrder(plainNormalizers(beyond)),
    pre_tokenizer: preTokenizerJson(family, prefix.when !== 'never'),
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
  };
}

/** The byte-level step knows GPT-2's pattern itself; others are cut first. */
export function preTokenizerJson(family: FamilyName, prefixed = false): Json {
  const [own] = familyPatterns('gpt2');
  const patterns = familyPatterns(family);
  const splits = patterns.filter((one) => one !== own).map((Regex) => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false }));
  const bytes = { type: 'ByteLevel', add_prefix_space: prefixed, trim_offsets: true, use_regex: patterns.at(-1) === own };
  return splits.length ? { type: 'Sequence', pretokenizers: [...splits, bytes] } : bytes;
}

const plainNormalizers = (beyond: readonly string[]): Json[] => 
  beyond.flatMap((name) => PLAIN_NORMALIZERS.flatMap((type) => (name === `normalizer ${type}` ? [{ type }] : [])));
const inOrder = (normalizers: readonly Json[]): Json | null => (normalizers.length > 1 ? { type: 'Sequence', normalizers } : (normalizers[0] ?? null));

/** SentencePiece's way: spaces are U+2581, unknown characters their bytes. */
function markedParts({ prefix, dropLeadingSpace, beyond = [] }: TokenizerSpec): Json {
  const replace = (from: string, content: string) => ({ type: 'Replace', pattern: { String: from }, content });
  const marks = replace(' ', '\u2581');
  const first = prefix.when === 'first' || (prefix.when === 'always' && prefix.unlessSpace === true);
  return {
    ...(first
      ? { normalizer: inOrder(plainNormalizers(beyond)), pre_tokenizer: { type: 'Metaspace', replacement: '\u2581', prepend_scheme: prefix.when, split: false } }
      : { normalizer: inOrder([...plainNormalizers(beyond), ...(prefix.when === 'never' ? [] : [{ type: 'Prepend', prepend: '\u2581' }]), marks]), pre_tokenizer: null }),
    decoder: {
      type: 'Sequence',
      decoders: [replace('\u2581', ' '), { type: 'ByteFallback' }, { type: 'Fuse' }, ...(dropLeadingSpace ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : [])],
    },
  };
}

/** Ids around a text; null where there are none. */
export function templateJson(before: readonly number[], after: readonly number[], tokens: StringList | readonly string[]): Json | null {
  if (before.length + after.length === 0) return null;
  const special = (type: number) => (id: number) => ({ SpecialToken: { id: tokens.at(id), type_id: type } });
  const around = (name: string, type: number) => [...before.map(special(type)), { Sequence: { id: name, type_id: type } }, ...after.map(special(type))];
  const named = [...new Set([...before, ...after])].map((id) => [tokens.at(id)!, { id: tokens.at(id), ids: [id], tokens: [tokens.at(id)] }] as const);
  return { type: 'TemplateProcessing', single: around('A', 0), pair: [...around('A', 0), ...around('B', 1)], special_tokens: Object.fromEntries(named) };
}

function mergeJson(spec: TokenizerSpec, { writing, merges, ignoreMerges, fuseUnknown }: MergeModel): Json {
  const marked = writing !== 'alphabet';
  const tokens = marked ? spacesMarked(spec) : spec.tokens.toArray();
  const fallback = spec.types.includes(TOKEN.byte);
  return {
    type: 'BPE', dropout: null, unk_token: spec.unk === undefined ? null : spec.tokens.at(spec.unk), continuing_subword_prefix: null, end_of_word_suffix: null,
    fuse_unk: fuseUnknown, byte_fallback: fallback, ignore_merges: ignoreMerges,
    vocab: Object.fromEntries(tokens.flatMap((token, id) => (token === '' || isPadding(token, spec.types[id]!) ? [] : [[token, id]]))),
    merges: written(merges ?? mergesOf(spec, tokens)),
  };
}

/** What converters to GGUF call ids that have no token. */
const isPadding = (token: string, type: number): boolean => type === TOKEN.unused && /^\[PAD\d+\]$/.test(token);

/** llama2.c writes a space as a space. */
export const spacesMarked = ({ tokens, types, model }: TokenizerSpec): readonly string[] =>
  model.model === 'merge' && model.writing === 'plain' ? Array.from(tokens, (token, id) => (types[id] === TOKEN.normal ? token.replaceAll(' ', '\u2581') : token)) : tokens.toArray();

/** "left right", which older readers know too; pairs only where a token holds a space. */
function written(merges: Merges): readonly unknown[] {
  const pairs: readonly (string | readonly [string, string])[] = [...merges];
  const plain = pairs.every((merge) => typeof merge === 'string' || !merge.some((part) => part.includes(' ')));
  return plain ? pairs.map((merge) => (typeof merge === 'string' ? merge : merge.join(' '))) : pairs;
}

/**
 * What scores of tokens mean as merges: every way to make a token of two others, in the order of the tokens' scores, then of the parts'
 * ids (as `generate_merges` of Hugging Face's converter does).
 */
function mergesOf({ types, model }: TokenizerSpec, tokens: readonly string[]): [string, string][] {
  if (model.model !== 'merge') return [];
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const usable = (token: string) => types[ids.get(token) ?? -1] === TOKEN.normal || types[ids.get(token) ?? -1] === TOKEN.userDefined;
  const score = (id: number) => model.scores?.[id] ?? -id;
  const made = tokens.flatMap((token, id) => (usable(token) && ids.get(token) === id ? splitsOf(token).filter((parts) => parts.every(usable)).map((parts) => ({ id, parts })) : []));
  made.sort((a, b) => score(b.id) - score(a.id) || ids.get(a.parts[0])! - ids.get(b.parts[0])! || ids.get(a.parts[1])! - ids.get(b.parts[1])!);
  return made.map(({ parts }) => parts);
}

/** All ways to cut a token in two, between characters. */
function splitsOf(token: string): [string, string][] {
  const letters = [...token];
  return letters.slice(1).map((_, i) => [letters.slice(0, i + 1).join(''), letters.slice(i + 1).join('')]);
}
