// Bundled on its own: a page that loads in a worker needs little of what it would share with `load`.
import type { Source } from '../generate/types.js';
import { webModelWorkers } from '../host/model-worker-web.js';
import { startModel } from '../remote/model.js';
import type { WorkerLoadOptions, WorkerModel } from '../remote/types.js';

/**
 * Loads a model into a worker of its own, which comes with the package: the page, or the thread, stays free. The model is
 * used like that of `load`; its tokenizer answers by promises; `dispose` ends the worker.
 * @throws StonechatError as `load`, `unavailable` where there are no workers, `worker-failed` where the worker dies.
 */
export async function loadInWorker(source: Source, options?: WorkerLoadOptions): Promise<WorkerModel> {
  return startModel(webModelWorkers, source, options);
}
