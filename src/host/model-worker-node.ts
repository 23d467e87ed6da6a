import { Worker } from 'node:worker_threads';
import { kernelCode } from '#kernels';
import type { ModelWorker, ModelWorkerHost } from '../remote/model.js';

async function start(): Promise<ModelWorker> {
  const { default: program } = await import('#worker/model-node');
  const worker = new Worker(program, { eval: true, execArgv: [], name: 'stonechat model' });
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (listener) => worker.on('message', listener),
    onFailure(listener) {
      worker.on('error', listener);
      worker.on('messageerror', listener);
      worker.on('exit', (code) => listener(`it ended with exit code ${code}`));
    },
    busy: (yes) => (yes ? worker.ref() : worker.unref()),
    terminate: () => void worker.terminate(),
  };
}

/** Threads of Node, Deno and Bun. */
export const nodeModelWorkers: ModelWorkerHost = { start, resolve: (location) => location, kernels: kernelCode };
