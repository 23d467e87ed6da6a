import { StonechatError } from '../errors.js';
import { type ModelInput, openModel, type OpenModelOptions, openTokenizer, TOKENIZER_FILES } from '../files/index.js';
import type { ModelFile } from '../files/types.js';
import type { KernelSource } from './engine.js';
import { specFromGguf } from './gguf.js';
import type { TokenizerSpec } from './spec.js';
import { loadForms } from './forms.js';
import { loadPatterns } from './regex.js';
import { createTokenizer } from './tokenizer.js';
import type { Tokenizer } from './types.js';

export { createTokenizer } from './tokenizer.js';
export type { KernelSource } from './engine.js';
export type { EncodeAsyncOptions, EncodeOptions, TextStream, Tokenizer } from './types.js';

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
  // A chunk of its own: GGUF models carry their tokenizers.
  const { readSpec } = await import('./readers.js');
  return withPatterns(guarded(name, () => readSpec(name, bytes, sibling)));
}

/** What splits by patterns needs them before the first text, and BERT's its normal forms. */
async function withPatterns(read: Promise<TokenizerSpec>): Promise<TokenizerSpec> {
  const spec = await read;
  if (!spec.split.scanner) await loadPatterns();
  if (spec.model.model === 'wordpiece') await loadForms();
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

/** Malformed files are refused where they are read; should one slip through, it is still a file that cannot be used. */
async function guarded<T>(name: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof StonechatError || !(cause instanceof TypeError || cause instanceof RangeError || cause instanceof SyntaxError)) throw cause;
    throw new StonechatError({ code: 'bad-file', expected: `a tokenizer in ${name}`, found: cause.message, remedy: 'The file is damaged; download it again.', cause });
  }
}
