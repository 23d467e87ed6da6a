import { browserHost } from '../host/browser.js';
import { createTrainer } from './train.js';

export * from './train.js';
export const { train } = createTrainer(browserHost());
