export * from './public.js';
export { estimate, load, loadTokenizer } from './load-edge.js';
export { loadInWorker } from './no-workers.js';
