import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import program from '#worker/node';
import { supportedBuilds } from './builds.js';
import { compileKernels } from './compile.js';
import { type Host, type HostSettings, mergeSettings, type WorkerHandle } from './host.js';
import { listFolder, openLocation } from './node-files.js';
import { checkOutputs, saveFile } from './node-save.js';

/** Node 20 has the relaxed dot behind a flag, wrong until its optimising compiler comes in: never used there. */
const nodeVersion = Number.parseInt(process.versions.node, 10);
const nodeBuilds = () => supportedBuilds(true).filter((build) => build !== 'relaxed' || nodeVersion >= 22);

function startWorker(): WorkerHandle {
  const worker = new Worker(program, { eval: true, execArgv: [], name: 'stonechat' });
  let over = false;
  return {
    post: (message) => worker.postMessage(message),
    onMessage(listener) {
      worker.on('message', listener);
      worker.unref(); // an idle pool does not keep the process alive; listening would
    },
    onFailure(listener) {
      worker.on('error', listener);
      worker.on('messageerror', listener);
      worker.on('exit', (code) => void (over || listener(`it ended with exit code ${code}`)));
    },
    terminate() {
      over = true;
      void worker.terminate();
    },
  };
}

/** Node, and through its node: modules Deno and Bun. */
export function nodeHost(settings: HostSettings = {}): Host {
  return {
    name: 'node',
    get builds() {
      return nodeBuilds();
    },
    canThread: true,
    canWait: true,
    processors: availableParallelism(),
    compile: (build, shared, set = 'core') => compileKernels(build, shared, set, settings),
    startWorker,
    open: openLocation,
    list: listFolder,
    save: saveFile,
    checkOutputs,
    yield: () => new Promise((resolve) => setImmediate(resolve)),
    configure: (more) => nodeHost(mergeSettings(settings, more)),
  };
}
