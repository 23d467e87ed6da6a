// `stonechat/static`: one file without any import(), which module service workers may not use. It carries no kernels: the
// option `kernels` brings them.
export * from './public.js';
export { estimate, load, loadTokenizer } from './load-browser.js';
export { loadInWorker } from './no-workers.js';
