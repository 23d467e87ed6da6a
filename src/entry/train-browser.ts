import { browserHost } from '../host/browser.js';
import { createTrainer } from './train.js';
import { createTuner } from './tune.js';

export * from './train.js';
export * from './tune.js';
export const { train, compare } = createTrainer(browserHost());
export const { finetune, merge } = createTuner(browserHost());
