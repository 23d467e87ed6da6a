import { StonechatError } from '../errors.js';
import type { Source } from '../generate/types.js';
import type { WorkerLoadOptions, WorkerModel } from '../remote/types.js';

/** `loadInWorker` where there are no workers. @throws StonechatError `unavailable`, always. */
export async function loadInWorker(_source: Source, _options?: WorkerLoadOptions): Promise<WorkerModel> {
  throw new StonechatError({
    code: 'unavailable',
    expected: 'a page or a process that may start workers',
    found: 'an edge function or a service worker',
    remedy: 'Use `load`.',
  });
}
