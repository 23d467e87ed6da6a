// What every entry of `stonechat/train` exports beside what is bound to its host.
export { StonechatError } from '../errors.js';
export type { LearnBpeOptions, LearnedBpe, LearnedTokenizer, Learner, NgramGenerateOptions, Texts } from './learn.js';
export type {
  CompareEvent, CompareOptions, ComparedModel, Comparison, Corpus, ErrorCode, ErrorDetails, Evaluation, History, LearningSettings, LossHistory,
  LoopEvent, ModelConfig, StartEvent, StepEvent, Trainer, TrainEvent, TrainOptions, TrainResult,
} from './train.js';
export type {
  FinetuneOptions, MergeOptions, MergeResult, PreferenceExample, Tuner, TuningEvent, TuningExample, TuningExamples, TuningMessage,
  TuningOptions, TuningResult, TuningSettings, TuningStart,
} from './tune.js';
export type { ConvertedFile, ConvertOptions, ConvertResult, Fallback, Writer } from './write.js';
export { learnNgrams, NgramModel, type NgramOptions, readNgrams, writeNgrams } from '../train/ngram/index.js';
