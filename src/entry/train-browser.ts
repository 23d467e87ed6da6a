import { browserHost } from '../host/browser.js';
import { createTrainer } from './train.js';
import { createTuner } from './tune.js';
import { createWriter } from './write.js';

export * from './train.js';
export * from './tune.js';
export * from './write.js';
export const { train, compare } = createTrainer(browserHost());
export const { finetune, merge } = createTuner(browserHost());
export const { convert } = createWriter(browserHost());
