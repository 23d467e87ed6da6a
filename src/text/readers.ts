// Tokenizers in files of their own. GGUF models carry theirs and need none of this.
import { StonechatError } from '../errors.js';
import type { ModelFile } from '../files/types.js';
import { specFromHuggingFace, specFromVocabulary, type Companions } from './huggingface.js';
import { Json } from './json.js';
import { isLlama2c, specFromLlama2c } from './llama2c.js';
import { loadPatterns } from './regex.js';
import { isSentencePiece, specFromSentencePiece } from './sentencepiece.js';
import type { TokenizerSpec } from './spec.js';
import { isTiktoken, specFromTiktoken } from './tiktoken.js';

/** Files that may lie beside a tokenizer file and say more about it. */
const COMPANIONS = ['tokenizer_config.json', 'generation_config.json', 'special_tokens_map.json', 'chat_template.jinja', 'chat_template.json', 'merges.txt', 'config.json', 'added_tokens.json'] as const;
type CompanionFiles = Partial<Record<(typeof COMPANIONS)[number], Uint8Array>>;

async function readCompanions(sibling: ModelFile['sibling']): Promise<CompanionFiles> {
  const found = await Promise.all(COMPANIONS.map(async (name) => [name, await sibling(name)] as const));
  return Object.fromEntries(found.filter(([, bytes]) => bytes));
}

/** JSON text, by its first two letters: `{` alone may be the length of a token. */
function isJson(bytes: Uint8Array): boolean {
  const start = bytes.findIndex((byte) => byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09);
  const bom = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  const opening = new TextDecoder().decode(bytes.subarray(bom ? 0 : Math.max(0, start), (bom ? 0 : start) + 4096));
  return /^\s*\{\s*["}]/.test(opening);
}

/** What each format is known by: its own structure, whatever the name. */
const READERS: readonly { is(bytes: Uint8Array): boolean; name: RegExp; read(base: string, bytes: Uint8Array, companions: CompanionFiles): TokenizerSpec | Promise<TokenizerSpec> }[] = [
  { is: isJson, name: /\.json$/, read: fromJson },
  { is: isTiktoken, name: /\.tiktoken$/, read: specFromTiktoken },
  { is: isSentencePiece, name: /\.model$/, read: (_, bytes) => specFromSentencePiece(bytes) },
  { is: isLlama2c, name: /\.bin$/, read: (_, bytes) => specFromLlama2c(bytes) },
];

/**
 * The tokenizer in a file of its own, as data. `sibling` reads the files beside it.
 * @throws StonechatError `bad-file`, `unsupported`, `not-found`.
 */
export async function readSpec(name: string, bytes: Uint8Array, sibling: ModelFile['sibling']): Promise<TokenizerSpec> {
  return specOf(name, bytes, await readCompanions(sibling));
}

/** By its structure; what has none of them is told by its name what is wrong with it. */
function specOf(name: string, bytes: Uint8Array, companions: CompanionFiles): TokenizerSpec | Promise<TokenizerSpec> {
  const base = name.split(/[\\/]/).at(-1)!.toLowerCase();
  const proven = READERS.filter(({ is }) => is(bytes));
  const reader = proven.find((one) => one.name.test(base)) ?? proven[0] ?? READERS.find((one) => one.name.test(base));
  if (reader) return reader.read(base, bytes, companions);
  throw new StonechatError({
    code: 'unsupported',
    expected: 'a tokenizer.json, tokenizer.model, tokenizer.bin, .tiktoken or vocab.json file',
    found: `${name} (${bytes.length} bytes)`,
    remedy: 'Keep the file\'s usual name, or use the model\'s GGUF form, which carries its tokenizer.',
  });
}

async function fromJson(base: string, bytes: Uint8Array, companions: CompanionFiles): Promise<TokenizerSpec> {
  const json = Json.parse(decode(bytes), base);
  await loadPatterns();
  if (json.get('model').get('vocab').exists) return specFromHuggingFace(json, parseCompanions(companions));
  const merges = companions['merges.txt'];
  if (merges) return specFromVocabulary(json, decode(merges), parseCompanions(companions));
  throw new StonechatError({
    code: 'not-found',
    expected: 'a tokenizer.json with a model, or merges.txt beside vocab.json',
    found: base,
    remedy: 'Use the tokenizer.json of the model; vocab.json alone does not say how words are split.',
  });
}

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function parseCompanions(given: CompanionFiles): Companions {
  const parse = (name: keyof CompanionFiles) => (given[name] ? Json.parse(decode(given[name]), name) : undefined);
  const template = given['chat_template.jinja'] ? decode(given['chat_template.jinja']) : parse('chat_template.json')?.get('chat_template').text();
  const config = parse('tokenizer_config.json');
  const generation = parse('generation_config.json');
  const special = parse('special_tokens_map.json');
  const model = parse('config.json');
  const added = parse('added_tokens.json');
  const files = Object.entries({ config, generation, special, model, added }).filter(([, json]) => json);
  return { ...Object.fromEntries(files), ...(template === undefined ? {} : { chatTemplate: template }) };
}
