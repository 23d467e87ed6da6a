// The worker program of Node, Deno and Bun: bundled to text, run by `eval`, hence no import of node: modules.
import { runWorker, type WorkerTask } from '../kernels/worker.js';

const { parentPort } = process.getBuiltinModule('node:worker_threads');
const atExit = (listener: () => void) => void process.once('exit', listener);
parentPort?.once('message', (task: WorkerTask) => runWorker(task, (reply) => parentPort.postMessage(reply), atExit));
