import { nodeHost } from '../host/node.js';
import { createTrainer } from './train.js';
import { createTuner } from './tune.js';
import { createWriter } from './write.js';

export * from './train.js';
export * from './tune.js';
export * from './write.js';
export const { train, compare } = createTrainer(nodeHost());
export const { finetune, merge } = createTuner(nodeHost());
export const { convert } = createWriter(nodeHost());
