// stonechat in Chromium, bundled by run.mjs as an application would.
import { engine } from './stonechat-engine.mjs';

export const where = 'page';
export async function load(url, options) {
  const { load: loadModel } = await import('/engine/stonechat/page.js');
  return engine(loadModel, url, options);
}
