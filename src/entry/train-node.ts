import { nodeHost } from '../host/node.js';
import { createTrainer } from './train.js';

export * from './train.js';
export const { train } = createTrainer(nodeHost());
