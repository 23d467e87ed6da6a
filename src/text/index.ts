import { StonechatError } from '../errors.js';
import { type ModelInput, openModel, type OpenModelOptions, openTokenizer, TOKENIZER_FILES } from '../files/index.js';
import type { ModelFile } from '../files/types.js';
import type { KernelSource } from './engine.js';
import { specFromGguf } from './gguf.js';
import { specFromHuggingFace, specFromVocabulary, type Companions } from './huggingface.js';
import { Json } from './json.js';
import { isLlama2c, specFromLlama2c } from './llama2c.js';
import { isSentencePiece, specFromSentencePiece } from './sentencepiece.js';
import type { TokenizerSpec } from './spec.js';
import { loadPatterns } from './regex.js';
import { isTiktoken, specFromTiktoken } from './tiktoken.js';
import { createTokenizer } from './tokenizer.js';
import type { Tokenizer } from './types.js';

export { createTokenizer } from './tokenizer.js';
export type { KernelSource } from './engine.js';
export type { EncodeOptions, TextStream, Tokenizer } from './types.js';

/** Files that may lie beside a tokenizer file and say more about it. */
const COMPANIONS = ['tokenizer_config.json', 'generation_config.json', 'special_tokens_map.json', 'chat_template.jinja', 'chat_template.json', 'merges.txt', 'config.json', 'added_tokens.json'] as const;
type CompanionFiles = Partial<Record<(typeof COMPANIONS)[number], Uint8Array>>;
type Sibling = ModelFile['sibling'];

/**
 * The tokenizer that a model carries: in its metadata (GGUF) or in a file beside it.
 * `kernels` gives the compiled module; the tokenizer runs it on a memory of its own.
 * @throws StonechatError `not-found` when there is none, `unsupported`, `bad-file`.
 */
export async function tokenizerFromModel(file: ModelFile, kernels: KernelSource): Promise<Tokenizer> {
  const spec = await specFromModel(file);
  return guarded(file.name, () => createTokenizer(spec, kernels));
}

/** The same as data. */
export async function specFromModel(file: ModelFile): Promise<TokenizerSpec> {
  const model = file.metadata.get('tokenizer.ggml.model');
  if (model !== undefined && model !== 'none' && model !== 'no_vocab') return withPatterns(guarded(file.name, () => specFromGguf(file.metadata)));
  for (const name of TOKENIZER_FILES) {
    const bytes = await file.sibling(name);
    if (bytes) return specFromFile(name, bytes, (companion) => file.sibling(companion));
  }
  throw new StonechatError({
    code: 'not-found',
    expected: `a tokenizer in ${file.name} or beside it (${TOKENIZER_FILES.join(', ')})`,
    found: 'none',
    remedy: 'Name a tokenizer file of this model by the tokenizer option (--tokenizer).',
  });
}

/**
 * A tokenizer file, recognised by its content: tokenizer.json, tokenizer.model (SentencePiece), tokenizer.bin (llama2.c),
 * tiktoken ranks (recognised by their content too, but their pattern goes by name), vocab.json with merges.txt.
 * `sibling` reads files beside it: tokenizer_config.json and its like.
 * @throws StonechatError `bad-file`, `unsupported`, `not-found`.
 */
export async function tokenizerFromFile(name: string, bytes: Uint8Array, kernels: KernelSource, sibling: Sibling = async () => undefined): Promise<Tokenizer> {
  const spec = await specFromFile(name, bytes, sibling);
  return guarded(name, () => createTokenizer(spec, kernels));
}

/** The same as data. */
export async function specFromFile(name: string, bytes: Uint8Array, sibling: Sibling): Promise<TokenizerSpec> {
  if (isGguf(bytes)) return specFromModel(await openModel(bytes));
  const companions = await readCompanions(sibling);
  return withPatterns(guarded(name, () => readSpec(name, bytes, companions)));
}

/** What splits by patterns needs them before the first text. */
async function withPatterns(read: Promise<TokenizerSpec>): Promise<TokenizerSpec> {
  const spec = await read;
  if (!spec.split.scanner) await loadPatterns();
  return spec;
}

/** Of whatever holds a tokenizer: a model's header, or a file of its own. Takes what `openModel` takes. @throws StonechatError */
export async function tokenizerAt(input: ModelInput, kernels: KernelSource, options: OpenModelOptions): Promise<Tokenizer> {
  const spec = await specAt(input, options);
  return guarded('the tokenizer', () => createTokenizer(spec, kernels));
}

/** The same as data. */
export async function specAt(input: ModelInput, options: OpenModelOptions): Promise<TokenizerSpec> {
  const opened = await openTokenizer(input, options);
  if ('bytes' in opened) return specFromFile(opened.name, opened.bytes, opened.sibling);
  try {
    return await specFromModel(opened);
  } finally {
    await opened.close();
  }
}

/** The magic, and a version after it: the ranks of tiktoken may begin with the same letters. */
const isGguf = (bytes: Uint8Array) => String.fromCharCode(...bytes.subarray(0, 4)) === 'GGUF' && (bytes[5] === 0 || bytes[6] === 0);

async function readCompanions(sibling: Sibling): Promise<CompanionFiles> {
  const found = await Promise.all(COMPANIONS.map(async (name) => [name, await sibling(name)] as const));
  return Object.fromEntries(found.filter(([, bytes]) => bytes));
}

/** Malformed files are refused where they are read; should one slip through, it is still a file that cannot be used. */
async function guarded<T>(name: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof StonechatError || !(cause instanceof TypeError || cause instanceof RangeError || cause instanceof SyntaxError)) throw cause;
    throw new StonechatError({ code: 'bad-file', expected: `a tokenizer in ${name}`, found: cause.message, remedy: 'The file is damaged; download it again.', cause });
  }
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

/** By its structure; what has none of them is told by its name what is wrong with it. */
function readSpec(name: string, bytes: Uint8Array, companions: CompanionFiles): TokenizerSpec | Promise<TokenizerSpec> {
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
