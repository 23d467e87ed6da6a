import { type ModelInput, openModel } from '../files/index.js';
import { badFile } from '../files/refuse.js';
import type { MetadataValue, ModelFile } from '../files/types.js';
import { ggufTokenizer } from '../text/byte-level.js';
import { tokenizerFromModel } from '../text/index.js';
import type { Tokenizer } from '../text/types.js';
import type { TrainHost } from './engine.js';
import { learnBpe } from './learn-bpe.js';

/** A tokenizer, and how a GGUF file says it. */
export interface Vocabulary {
  readonly tokenizer: Tokenizer;
  /** Keys that begin with `tokenizer.`. */
  readonly metadata: ReadonlyMap<string, MetadataValue>;
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
  return { tokenizer, metadata: ggufTokenizer(vocabulary) };
}

/** The tokenizer that a GGUF file carries: a model, a vocabulary, a checkpoint. */
export async function vocabularyOf(from: TrainHost, file: ModelFile): Promise<Vocabulary> {
  if (!file.metadata.has('tokenizer.ggml.model')) throw badFile('a GGUF file with a tokenizer', `none in ${file.name}`, 'Name the GGUF file of a model; without one a tokenizer is learnt from the corpus.');
  const metadata = new Map([...file.metadata].filter(([key]) => key.startsWith('tokenizer.')));
  return { tokenizer: await tokenizerFromModel(file, await textKernels(from)), metadata };
}

export async function openVocabulary(from: TrainHost, source: ModelInput): Promise<Vocabulary> {
  const file = await openModel(source, { open: from.host.open, list: from.host.list });
  try {
    return await vocabularyOf(from, file);
  } finally {
    await file.close();
  }
}
