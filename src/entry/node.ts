import { nodeHost } from '../host/node.js';
import { createStonechat } from './load.js';

export * from './public.js';
export const { load, estimate, loadTokenizer } = createStonechat(nodeHost());
