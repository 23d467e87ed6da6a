export { readNgrams, writeNgrams } from './file.js';
export { generateNgrams, PLAIN, type NgramGenerateOptions } from './generate.js';
export { checkModel, NgramModel } from './model.js';
export { learnNgrams, type NgramOptions } from './smooth.js';
