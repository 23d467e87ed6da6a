import { type ModelInput, openTokenizer } from '../../files/index.js';
import type { MetadataValue, ModelFile } from '../../files/types.js';
import { ggufTokenizer } from '../../text/byte-level.js';
import { ggufMetadata } from '../../text/gguf-writer.js';
import { ggufLosses } from '../../text/losses.js';
import { createTokenizer, specFromFile, specFromModel } from '../../text/index.js';
import type { TokenizerSpec } from '../../text/spec.js';
import type { Tokenizer } from '../../text/types.js';
import type { TrainHost } from '../loop/engine.js';
import { learnBpe } from './learn-bpe.js';

/** A tokenizer, and how a GGUF file says it. */
export interface Vocabulary {
  readonly tokenizer: Tokenizer;
  /** Keys that begin with `tokenizer.`. */
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  /** What the tokenizer does and GGUF has no word for. */
  readonly lost: readonly string[];
}

/** Kernels for text, on one thread. */
export async function textKernels({ host, compileTraining }: TrainHost) {
  const build = host.builds[0]!;
  const [module, secondModule] = await Promise.all([host.compile(build, false), compileTraining(build, false)]);
  return { build, module, secondModule };
}

/** A byte-level vocabulary of the texts, <|endoftext|> its first token. */
export async function learnVocabulary(from: TrainHost, texts: Iterable<string>, size: number): Promise<Vocabulary> {
  const { vocabulary, tokenizer } = await learnBpe(texts, { vocabularySize: size }, await textKernels(from));
  return { tokenizer, metadata: ggufTokenizer(vocabulary), lost: [] };
}

/** The tokenizer that a model carries; of a GGUF file exactly as it stands there. */
export async function vocabularyOf(from: TrainHost, file: ModelFile, force = false): Promise<Vocabulary> {
  const own = [...file.metadata].filter(([key]) => key.startsWith('tokenizer.'));
  return vocabularyFrom(from, await specFromModel(file), file.metadata.has('tokenizer.ggml.model') ? new Map(own) : undefined, force);
}

/** `force`: what GGUF has no word for is left out, and named in `lost`. */
async function vocabularyFrom(from: TrainHost, spec: TokenizerSpec, metadata: Vocabulary['metadata'] | undefined, force = false): Promise<Vocabulary> {
  const tokenizer = createTokenizer(spec, await textKernels(from));
  return metadata ? { tokenizer, metadata, lost: [] } : { tokenizer, metadata: ggufMetadata(spec, 0, force), lost: ggufLosses(spec) };
}

/**
 * From a model, a checkpoint, or a tokenizer file.
 * @throws StonechatError `unsupported` for tokenizers that GGUF has no form of, unless `force` for what it cannot say of one.
 */
export async function openVocabulary(from: TrainHost, source: ModelInput, force = false): Promise<Vocabulary> {
  const opened = await openTokenizer(source, { open: from.host.open, list: from.host.list });
  if ('bytes' in opened) return vocabularyFrom(from, await specFromFile(opened.name, opened.bytes, opened.sibling), undefined, force);
  try {
    return await vocabularyOf(from, opened, force);
  } finally {
    await opened.close();
  }
}
