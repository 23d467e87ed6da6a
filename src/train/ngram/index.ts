export { readNgrams, writeNgrams } from './file.js';
export { checkNgramCall, generateNgrams, type NgramGenerateOptions } from './generate.js';
export { NgramModel } from './model.js';
export { learnNgrams, type NgramOptions } from './smooth.js';
