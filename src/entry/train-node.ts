import { nodeHost } from '../host/node.js';
import { createTrainer } from './train.js';
import { createTuner } from './tune.js';

export * from './train.js';
export * from './tune.js';
export const { train, compare } = createTrainer(nodeHost());
export const { finetune, merge } = createTuner(nodeHost());
