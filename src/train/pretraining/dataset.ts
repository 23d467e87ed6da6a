import type { ModelInput } from '../../files/index.js';
import type { StonechatError } from '../../errors.js';
import { badFile, badOption } from '../../files/refuse.js';
import { type Documents, pairCount } from '../data/batches.js';
import { type Checkpoint, checkSame, type RunFacts } from '../loop/checkpoint.js';
import { checkCorpus, type Corpus, cutLong, END_OF_TEXT, fingerprint, readCorpus, type Split, splitValidation, tokenizeDocuments } from '../data/corpus.js';
import type { TrainHost } from '../loop/engine.js';
import { defined, type LearningOptions, type LearningSettings, settle, VALIDATION_SHARE, vocabularyFor } from './settings.js';
import { learnVocabulary, openVocabulary, type Vocabulary, vocabularyOf } from '../tokenizer/vocabulary.js';

/** What a run learns from, all decided. */
export interface Dataset {
  readonly vocabulary: Vocabulary;
  readonly training: Documents;
  readonly validation: Documents | undefined;
  readonly settings: LearningSettings;
  /** What another run must have in common with this one to go on from its checkpoint. */
  readonly facts: RunFacts;
}

export interface DatasetOptions extends LearningOptions {
  /** A model whose tokenizer is used, or a tokenizer file. Default: one is learnt from the corpus. */
  readonly tokenizer?: ModelInput | undefined;
  /** Write the model although GGUF cannot say all that this tokenizer does; the result names what is lost. Default false. */
  readonly force?: boolean | undefined;
  /** Text to validate with. Default: a share of the corpus is kept back. */
  readonly validation?: Corpus | undefined;
}

/** As entries pass them on. */
export interface ReadyDatasetOptions extends DatasetOptions {
  /** Settings that a checkpoint holds are checked like options. @throws StonechatError `bad-option` */
  readonly checkSettings?: ((settings: object) => void) | undefined;
}

/** Long documents are shuffled in parts of so many sequences; the half moves the seams from one epoch to the next. */
const PART_SEQUENCES = 7.5;

/** Text to ids, options to settings. @throws StonechatError `bad-option`, also where a checkpoint is of another run. */
export async function prepareDataset(from: TrainHost, corpus: Corpus, given: ReadyDatasetOptions, checkpoint: Checkpoint | undefined): Promise<Dataset> {
  const options = inherit(given, checkpoint);
  const split = await readSplit(corpus, given.validation, options);
  const asked = sizeOf(split.training, given, checkpoint);
  const vocabulary = await vocabularyFrom(from, split.training, given, checkpoint, asked);
  const { tokenizer } = vocabulary;
  checkSize(given, tokenizer.size);
  const whole = await tokenizeDocuments(split.training, tokenizer);
  const settings = settle({ ...options, config: { padding: tokenizer.bos ?? tokenizer.eos, ...defined(options.config ?? {}) } }, pairCount(whole), tokenizer.size);
  const { context } = settings.config;
  checkCorpus(whole, settings.batch * context);
  const training = cutLong(whole, Math.floor(PART_SEQUENCES * context));
  const validation = split.validation.length > 0 ? await tokenizeDocuments(split.validation, tokenizer) : undefined;
  const facts = { kind: 'training', settings, vocabulary: asked, corpus: fingerprint(training), validation: validation ? fingerprint(validation) : null };
  if (checkpoint) checkSame(checkpoint, facts, WORDS);
  return { vocabulary, training, validation, settings, facts };
}

/** Options left out are those of the run that is resumed. */
function inherit({ checkSettings: check, ...given }: ReadyDatasetOptions, checkpoint: Checkpoint | undefined): DatasetOptions {
  if (!checkpoint) return given;
  const settings = checkpoint.facts['settings'] as LearningSettings;
  checkKept(checkpoint, settings, check);
  const { steps, ...rest } = settings;
  return { ...rest, ...(given.epochs === undefined && { steps }), ...defined(given), config: { ...rest.config, ...defined(given.config ?? {}) } };
}

/** What a file holds is its fault. @throws StonechatError `bad-file` */
function checkKept({ file }: Checkpoint, settings: LearningSettings, check: ReadyDatasetOptions['checkSettings']): void {
  try {
    check?.(settings);
  } catch (error) {
    const { expected, found } = error as StonechatError;
    throw badFile(`settings of a run in ${file.name}: ${expected}`, found, 'The file is damaged: name another checkpoint, or begin anew.', error);
  }
}

async function readSplit(corpus: Corpus, validation: Corpus | undefined, { separator = END_OF_TEXT, validationShare = VALIDATION_SHARE, seed = 0 }: LearningOptions): Promise<Split> {
  const texts = await readCorpus(corpus, separator);
  if (validation === undefined) return splitValidation(texts, validationShare, seed);
  return { training: texts, validation: await readCorpus(validation, separator, 'a validation text') };
}

/** Tokens to learn; of a run that is resumed, those that it asked for. */
function sizeOf(texts: readonly string[], given: DatasetOptions, checkpoint: Checkpoint | undefined): number {
  const { vocabulary, config } = given;
  if (checkpoint && vocabulary === undefined && config?.vocabulary === undefined) return checkpoint.facts['vocabulary'] as number;
  return vocabularyFor(texts.reduce((sum, text) => sum + text.length, 0), given);
}

async function vocabularyFrom(from: TrainHost, texts: readonly string[], { tokenizer, force }: DatasetOptions, checkpoint: Checkpoint | undefined, size: number): Promise<Vocabulary> {
  if (tokenizer !== undefined) return openVocabulary(from, tokenizer, force);
  return checkpoint ? vocabularyOf(from, checkpoint.file) : learnVocabulary(from, texts, size);
}

function checkSize({ tokenizer, vocabulary, config }: DatasetOptions, size: number): void {
  const asked = vocabulary ?? config?.vocabulary;
  if (tokenizer === undefined || asked === undefined || asked === size) return;
  throw badOption(`a vocabulary of ${size} ids, as many as the tokenizer has`, String(asked), 'Leave the size of the vocabulary out; or the tokenizer, so that one of that size is learnt.');
}

/** Facts that are told by a word, not by their value. */
const WORDS = { corpus: ['corpus text', 'another one'], validation: ['validation text', 'another one'] } as const;
