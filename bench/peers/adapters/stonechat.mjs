// stonechat in Node. run.mjs links this project as `engine/project`.
import { estimate, load as loadModel } from '../engine/project/dist/node.js';
import { engine } from './stonechat-engine.mjs';

export const where = 'node';
/** Sizes for the table of memory are asked for at the end: reading the header again would count as loading. */
export async function load(path, options) {
  const baseBytes = process.resourceUsage().maxRSS * 1024;
  const info = { baseBytes };
  const made = await engine(loadModel, path, options, info);
  return {
    ...made,
    async dispose() {
      made.info.kvBytes = (await estimate(path, { contextLength: options.ctx })).kvCache;
      made.dispose();
    },
  };
}
