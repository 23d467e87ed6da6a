import { edgeHost } from '../host/edge.js';
import { createStonechat } from './load.js';

export * from './public.js';
export const { load, estimate, loadTokenizer } = createStonechat(edgeHost());
