import { nodeHost } from '../host/node.js';
import { createLearner, type Learner } from './learn.js';
import { createTrainer, type Trainer } from './train.js';
import { createTuner, type Tuner } from './tune.js';
import { createWriter, type Writer } from './write.js';

export * from './train-public.js';
const host = nodeHost();
const trainer = createTrainer(host);
const tuner = createTuner(host);
const learner = createLearner(host);

/**
 * Trains a model on a text, or on documents one by one. Everything has a default that suits the size of the corpus.
 * @throws StonechatError `bad-option`, `not-found`, `bad-file`, `out-of-memory`, `unavailable` before anything is learnt;
 * `diverged`, `aborted` after a checkpoint.
 */
export const train: Trainer['train'] = trainer.train;

/** An n-gram model, a feed-forward network and a transformer, all small, on the same text. @throws StonechatError as `train`. */
export const compare: Trainer['compare'] = trainer.compare;

/**
 * Teaches a model by examples, or by preferences: all its weights, or an adapter beside them.
 * @throws StonechatError `bad-option`, `not-found`, `bad-file`, `out-of-memory` before anything is learnt; `diverged`, `aborted`
 * after a checkpoint.
 */
export const finetune: Tuner['finetune'] = tuner.finetune;

/** Adds adapters into the weights of a model. @throws StonechatError `bad-option`, `bad-file`, `unsupported`, `not-found`. */
export const merge: Tuner['merge'] = tuner.merge;

/**
 * A model of any format that is read, as GGUF or as the files of a Hugging Face folder, with its tokenizer.
 * @throws StonechatError `unsupported` for what the other form cannot say, `bad-option`, `not-found`, `bad-file`, `unavailable`.
 */
export const convert: Writer['convert'] = createWriter(host).convert;

/**
 * Learns a byte-level BPE vocabulary from texts.
 * @throws StonechatError `bad-option` for options that contradict each other or a text without words, `out-of-memory`.
 */
export const learnTokenizer: Learner['learnTokenizer'] = learner.learnTokenizer;

/** Ids that an n-gram model draws behind a prompt, by the samplers of `generate`. */
export const generateNgrams: Learner['generateNgrams'] = learner.generateNgrams;
