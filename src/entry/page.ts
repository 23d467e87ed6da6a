// dist/stonechat.browser.js, for pages without a bundler: what is asked for is fetched, the engine of the page or that of a worker.
import type { Stonechat } from './load.js';

export * from './public.js';
export { loadInWorker } from './browser.js';

const engine = () => import('./load-browser.js');

/** As in `stonechat`. */
export const load: Stonechat['load'] = async (source, options) => (await engine()).load(source, options);
/** As in `stonechat`. */
export const estimate: Stonechat['estimate'] = async (source, options) => (await engine()).estimate(source, options);
/** As in `stonechat`. */
export const loadTokenizer: Stonechat['loadTokenizer'] = async (source, options) => (await engine()).loadTokenizer(source, options);
