import { edgeHost } from '../host/edge.js';
import { createTrainer } from './train.js';

export * from './train.js';
export const { train } = createTrainer(edgeHost());
