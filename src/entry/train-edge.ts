import { edgeHost } from '../host/edge.js';
import { createTrainer } from './train.js';
import { createTuner } from './tune.js';
import { createWriter } from './write.js';

export * from './train.js';
export * from './tune.js';
export * from './write.js';
export const { train, compare } = createTrainer(edgeHost());
export const { finetune, merge } = createTuner(edgeHost());
export const { convert } = createWriter(edgeHost());
