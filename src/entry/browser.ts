// What is asked for is fetched: the engine of the page, or that of a worker.
import type { Stonechat } from './load.js';

export * from './public.js';
export { loadInWorker } from './in-worker-browser.js';

const engine = () => import('./load-browser.js');

/**
 * Loads a model into memory, ready to generate.
 * @throws StonechatError `bad-option`, `not-found`, `bad-file`, `truncated`, `unsupported`, `network`, `out-of-memory`, `aborted`.
 */
export const load: Stonechat['load'] = async (source, options) => (await engine()).load(source, options);

/** The memory that `load` would take, read from the file's header alone. */
export const estimate: Stonechat['estimate'] = async (source, options) => (await engine()).estimate(source, options);

/** Only the tokenizer of a model, or of a tokenizer file. */
export const loadTokenizer: Stonechat['loadTokenizer'] = async (source, options) => (await engine()).loadTokenizer(source, options);
