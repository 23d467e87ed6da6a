// What every entry of `stonechat/train` exports beside what is bound to its host.
export { StonechatError } from '../errors.js';
export type * from './learn.js';
export type * from './train.js';
export type * from './tune.js';
export type * from './write.js';
export { learnNgrams, NgramModel, type NgramOptions, readNgrams, writeNgrams } from '../train/ngram/index.js';
