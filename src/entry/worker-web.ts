// The worker program of browsers: bundled to text and, for strict policies, to dist/worker/program.js.
import { runWorker, type WorkerTask } from '../kernels/worker.js';

addEventListener('message', ({ data }: MessageEvent<WorkerTask>) => runWorker(data, (reply) => postMessage(reply)), { once: true });
