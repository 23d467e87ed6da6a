// The program of a model in a worker of Node, Deno or Bun: bundled to text, run by `eval`; the build turns its node: imports into getBuiltinModule.
import { parentPort } from 'node:worker_threads';
import { nodeHost } from '../host/node.js';
import { serveModel } from '../remote/server.js';
import { createStonechat } from './load.js';

const port = parentPort!;
port.on('message', serveModel(createStonechat(nodeHost()).load, (message) => port.postMessage(message)));
