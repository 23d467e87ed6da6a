// The program of a model in a worker of a page: bundled to text and, for strict policies, to dist/worker/model-program.js.
import { browserHost } from '../host/browser.js';
import { serveModel } from '../remote/server.js';
import { createStonechat } from './load.js';

const receive = serveModel(createStonechat(browserHost()).load, (message) => postMessage(message));
addEventListener('message', ({ data }: MessageEvent) => receive(data));
