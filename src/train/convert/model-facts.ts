// What a model says of itself besides its sizes: name, licence, languages and the like, and the token that pads.
import type { GgufContent } from '../../files/gguf-writer.js';
import { StringList } from '../../files/strings.js';
import type { MetadataValue, ModelFile } from '../../files/types.js';
import type { TokenizerSpec } from '../../text/spec.js';

type Entries = [string, MetadataValue][];

/** The key of config.json under which GGUF's facts go to a Hugging Face folder and come back. */
const KEPT = 'gguf_general';
export const PADDING = 'tokenizer.ggml.padding_token_id';
/** Facts of the file, not of the model. */
const OF_FILE = new Set(['general.architecture', 'general.type', 'general.file_type', 'general.quantization_version', 'general.alignment']);

/** `general.*` as JSON, for config.json; nothing where there is nothing. */
export function keptFacts({ metadata }: Pick<GgufContent, 'metadata'>): Record<string, unknown> {
  const own = [...metadata].filter(([key, value]) => key.startsWith('general.') && !OF_FILE.has(key) && isPlain(value));
  const facts = Object.fromEntries(own.map(([key, value]) => [key.slice('general.'.length), value instanceof StringList ? value.toArray() : value]));
  return own.length > 0 ? { [KEPT]: facts } : {};
}

const isTexts = (value: unknown): value is readonly string[] => Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string');
const isScalar = (value: unknown): value is string | number | boolean => typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value));
const isPlain = (value: unknown): boolean => isScalar(value) || value instanceof StringList || isTexts(value);

/** What a Hugging Face folder says: its model card, then what an earlier conversion kept, then the token that pads. */
export async function folderFacts(file: ModelFile, tokenizer: TokenizerSpec): Promise<Entries> {
  const read = (name: string) => textOf(file, name);
  const [card, config, generation, texts] = await Promise.all([read('README.md'), read('config.json'), read('generation_config.json'), read('tokenizer_config.json')]);
  const settings = objectOf(config);
  const pad = paddingOf([settings, objectOf(generation)], objectOf(texts), tokenizer);
  return [...cardFacts(card), ...kept(settings[KEPT]), ...(pad === undefined ? [] : [[PADDING, pad] as [string, MetadataValue]])];
}

/** A file that cannot be read says nothing: what matters of it has been read before. */
async function textOf(file: ModelFile, name: string): Promise<string> {
  const bytes = await file.sibling(name).catch(() => undefined);
  return bytes ? new TextDecoder().decode(bytes) : '';
}

function objectOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = text === '' ? {} : JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function kept(facts: unknown): Entries {
  if (typeof facts !== 'object' || facts === null) return [];
  return Object.entries(facts).flatMap(([key, value]): Entries => {
    const name = `general.${key}`;
    return OF_FILE.has(name) || !(isScalar(value) || isTexts(value)) ? [] : [[name, value]];
  });
}

/** By number, as configurations name it, or by its text. */
function paddingOf(numbers: readonly Record<string, unknown>[], { pad_token: named }: Record<string, unknown>, { tokens }: TokenizerSpec): number | undefined {
  const id = numbers.map(({ pad_token_id: value }) => value).find((value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) < tokens.length);
  if (id !== undefined) return id as number;
  const text = typeof named === 'object' && named !== null ? (named as { content?: unknown }).content : named;
  const found = typeof text === 'string' ? [...tokens].indexOf(text) : -1;
  return found < 0 ? undefined : found;
}

/** Fields of a model card, with the keys that llama.cpp's converter gives them (gguf-py, metadata.py). */
const CARD: Readonly<Record<string, string>> = {
  license: 'license', license_name: 'license.name', license_link: 'license.link', author: 'author', organization: 'organization', description: 'description',
  language: 'languages', languages: 'languages', tags: 'tags',
};
const LISTS = new Set(['languages', 'tags']);

/** The YAML between the first two lines of dashes, as far as cards use it: texts, and lists in either form. */
function cardFacts(card: string): Entries {
  const [, yaml = ''] = /^\ufeff?---\r?\n([\s\S]*?)\r?\n---\s*(?:\r?\n|$)/.exec(card) ?? [];
  const fields = [...yaml.matchAll(/^(\w+):[ \t]*(.*)((?:\r?\n[ \t]*-[ \t].*)*)/gm)];
  return fields.flatMap(([, name = '', inline = '', lines = '']): Entries => {
    const key = Object.hasOwn(CARD, name) ? CARD[name]! : undefined;
    const values = valuesOf(inline, lines);
    if (key === undefined || values.length === 0) return [];
    return [[`general.${key}`, LISTS.has(key) ? values : values[0]!]];
  });
}

function valuesOf(inline: string, lines: string): string[] {
  const listed = /^\[(.*)\]\s*$/.exec(inline.trim())?.[1]?.split(',') ?? (inline.trim() === '' ? lines.split(/\r?\n/).map((line) => line.replace(/^\s*-\s/, '')) : [inline]);
  return listed.map((item) => item.trim().replace(/^(['"])(.*)\1$/, '$2')).filter((item) => item !== '' && !/^[|>]/.test(item));
}
