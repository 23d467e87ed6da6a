import { browserHost } from '../host/browser.js';
import { createStonechat } from './load.js';

export * from './public.js';
export const { load, estimate, loadTokenizer } = createStonechat(browserHost());
