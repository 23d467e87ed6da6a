import { kernelCode } from '#kernels';
import { unavailable } from '../files/refuse.js';
import type { ModelWorker, ModelWorkerHost } from '../remote/model.js';

/** One address for all models of the page; it lives as long as the page. */
const addressOf = (load: () => Promise<{ default: string }>) => {
  let made: Promise<string> | undefined;
  const make = async () => URL.createObjectURL(new Blob([(await load()).default], { type: 'text/javascript' }));
  return () => (made ??= make());
};
const leanUrl = addressOf(() => import('#worker/model-web'));
const wholeUrl = addressOf(() => import('#worker/model-whole'));

const NO_SCRIPT =
  'its script did not load (the policy must allow `worker-src blob:`, or `modelWorkerUrl` name stonechat/model-worker.js on this server)';

function create(url: string | URL): Worker {
  if (typeof Worker !== 'function') {
    throw unavailable('workers', `none in ${globalThis.constructor.name}`, 'Use `load`: service workers and edge functions start no workers.');
  }
  try {
    return new Worker(url, { type: 'module', name: 'stonechat model' });
  } catch (cause) {
    const remedy = "Allow `worker-src blob:` in the page's policy, or serve stonechat/model-worker.js and name it as `modelWorkerUrl`.";
    throw unavailable('to start a worker', cause instanceof Error ? cause.message : String(cause), remedy, cause);
  }
}

async function start({ modelWorkerUrl, whole }: Parameters<ModelWorkerHost['start']>[0]): Promise<ModelWorker> {
  const worker = create(modelWorkerUrl ?? (await (whole ? wholeUrl() : leanUrl())));
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (listener) => worker.addEventListener('message', (event) => listener(event.data)),
    onFailure(listener) {
      worker.addEventListener('error', (event) => listener(event.message || NO_SCRIPT));
      worker.addEventListener('messageerror', () => listener('a message that could not be read'));
    },
    busy: () => {},
    terminate: () => worker.terminate(),
  };
}

/** A worker made from a blob has no base for relative addresses: they are made whole here. */
function resolve(location: string): string {
  try {
    return new URL(location, globalThis.location?.href).href;
  } catch {
    return location; // refused where it is opened
  }
}

/** Dedicated workers of a page. */
export const webModelWorkers: ModelWorkerHost = { start, resolve, kernels: kernelCode };
