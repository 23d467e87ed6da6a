import { nodeHost } from '../host/node.js';
import { createLearner } from './learn.js';
import { createTrainer } from './train.js';
import { createTuner } from './tune.js';
import { createWriter } from './write.js';

export * from './train-public.js';
const host = nodeHost();
export const { train, compare } = createTrainer(host);
export const { finetune, merge } = createTuner(host);
export const { convert } = createWriter(host);
export const { learnTokenizer, generateNgrams } = createLearner(host);
