import { kernelCode } from '#kernels';
import { unavailable } from '../files/refuse.js';
import type { ModelWorker, ModelWorkerHost } from '../remote/model.js';
import { addressOf, startWebWorker, type WebWorkerKind } from './web-worker.js';

/** One address for all models of the page. */
const once = (load: () => Promise<{ default: string }>) => {
  let made: Promise<string> | undefined;
  return () => (made ??= load().then((module) => addressOf(module.default)));
};
const leanUrl = once(() => import('#worker/model-web'));
const wholeUrl = once(() => import('#worker/model-whole'));
const KIND: WebWorkerKind = { name: 'stonechat model', script: 'stonechat/model-worker.js', option: 'modelWorkerUrl', otherwise: '`load`' };

async function start({ modelWorkerUrl, whole }: Parameters<ModelWorkerHost['start']>[0]): Promise<ModelWorker> {
  if (typeof Worker !== 'function') {
    throw unavailable('workers', `none in ${globalThis.constructor.name}`, 'Use `load`: service workers and edge functions start no workers.');
  }
  return { ...startWebWorker(modelWorkerUrl ?? (await (whole ? wholeUrl() : leanUrl())), KIND), busy: () => {} };
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
