import type { Rendered } from '../text/jinja/index.js';
import type { Faulty, RenderCall } from './jinja.js';
import type { Call } from './peer.js';

/** Renders for the worker: the caller's side of jinja.ts. It lets the event loop turn, and has its limits. */
export async function render({ source, variables, options }: RenderCall, { signal }: Call): Promise<Rendered | Faulty> {
  const jinja = await import('../text/jinja/index.js');
  try {
    return await jinja.renderTemplate(source, variables, { ...options, signal });
  } catch (error) {
    if (error instanceof jinja.JinjaError) return { fault: error.fault, message: error.message };
    throw error;
  }
}
