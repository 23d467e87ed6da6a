// Learning what comes before a network, bound to a host: tokenizers, and n-gram models that generate.
import type { MetadataValue } from '../files/types.js';
import { among } from '../generate/options.js';
import { checkRules, flag, isText, oneOf, refuse, type Rule, show, whole } from '../generate/rules.js';
import type { Host, HostSettings, TrainKernelSource } from '../host/host.js';
import { instantiateTrainKernels } from '../kernels/instance.js';
import { ggufTokenizer, huggingFaceFiles, SPLIT_PATTERNS } from '../text/byte-level.js';
import { learnBpe, type LearnBpeOptions, type LearnedBpe, type Texts } from '../train/tokenizer/learn-bpe.js';
import { checkModel, generateNgrams, type NgramGenerateOptions, type NgramModel, PLAIN } from '../train/ngram/index.js';
import { textKernels } from '../train/tokenizer/vocabulary.js';
import { HOST_RULES, type Rules } from './rules.js';
import { trainHostOf } from './train.js';

export type { LearnBpeOptions, LearnedBpe, NgramGenerateOptions, Texts };

/** As for `train`. */
type Kernels = Pick<HostSettings, 'kernels'> & { readonly trainKernels?: TrainKernelSource };

/** A learnt tokenizer, also as the files that hold it. */
export interface LearnedTokenizer extends LearnedBpe {
  /** tokenizer.json and tokenizer_config.json as Hugging Face's library reads them, by name. */
  readonly files: Readonly<Record<string, string>>;
  /** `tokenizer.ggml.*`, the same in a GGUF file. */
  readonly metadata: ReadonlyMap<string, MetadataValue>;
}

/** What learns before a network does. */
export interface Learner {
  /**
   * Learns a byte-level BPE vocabulary from texts.
   * @throws StonechatError `bad-option` for options that contradict each other or a text without words, `out-of-memory`.
   */
  learnTokenizer(texts: Texts, options: LearnBpeOptions & Kernels): Promise<LearnedTokenizer>;
  /** Ids that an n-gram model draws behind a prompt (its own ids left out), by the samplers of `generate`. */
  generateNgrams(model: NgramModel, prompt: ArrayLike<number>, options?: NgramGenerateOptions & Kernels): Promise<number[]>;
}

const { kernels, trainKernels } = HOST_RULES;
const KERNEL_RULES = { kernels, trainKernels };
const special: Rule = { expected: 'one of the special tokens', accepts: isText, otherwise: 'the first, and the last, of them' };
const RULES: Rules<LearnBpeOptions & Kernels> = {
  vocabularySize: whole(1, 1 << 22, 'no vocabulary'),
  specialTokens: { expected: 'a list of texts', accepts: (value) => Array.isArray(value) && value.every(isText), otherwise: '["<|endoftext|>"]' },
  bos: special,
  eos: special,
  addBos: flag(true),
  pattern: oneOf(...SPLIT_PATTERNS),
  leastCount: whole(1, Number.MAX_SAFE_INTEGER, 2),
  ...KERNEL_RULES,
};

const SAMPLING = Object.keys(PLAIN) as (keyof typeof PLAIN)[];
const MOST_NGRAM_TOKENS = 1 << 24;

/** Arguments of `generateNgrams` as callers pass them. @throws StonechatError `bad-option` */
function checkNgramCall(model: NgramModel, prompt: ArrayLike<number>, options: NgramGenerateOptions & Kernels): void {
  checkModel(model);
  const { stopIds, logitBias, ...rules } = among(model.vocabulary, ['seed', 'stopIds', ...SAMPLING]);
  checkRules('generateNgrams()', options, {
    ...rules,
    maxTokens: whole(0, MOST_NGRAM_TOKENS, 100),
    stopIds: { ...stopIds, accepts: (value) => typeof value === 'object' && Symbol.iterator in Object(value) && stopIds.accepts([...(value as Iterable<unknown>)]) },
    logitBias: { ...logitBias, accepts: (value) => value instanceof Map && logitBias.accepts(value) },
    ...KERNEL_RULES,
  } satisfies Rules<NgramGenerateOptions & Kernels>);
  const isList = Array.isArray(prompt) || ArrayBuffer.isView(prompt);
  if (!isList || !stopIds.accepts(Array.from(prompt))) refuse(`a prompt as token ids from 0 to ${model.vocabulary - 1}`, show(prompt), 'Encode the text first.');
}

export function createLearner(host: Host): Learner {
  return {
    async learnTokenizer(texts, given) {
      checkRules('learnTokenizer()', given, RULES);
      const { kernels, trainKernels, ...options } = given;
      const learned = await learnBpe(texts, options, await textKernels(trainHostOf(host, { kernels, trainKernels })));
      return { ...learned, files: huggingFaceFiles(learned.vocabulary), metadata: ggufTokenizer(learned.vocabulary) };
    },
    async generateNgrams(model, prompt, given = {}) {
      checkNgramCall(model, prompt, given);
      const { kernels, trainKernels, ...options } = given;
      const { build, module, secondModule } = await textKernels(trainHostOf(host, { kernels, trainKernels }));
      return generateNgrams(model, instantiateTrainKernels(module, secondModule, build), prompt, options);
    },
  };
}
