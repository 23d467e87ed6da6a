// Jinja stays on the caller's side, who fetches it when a template is used: the worker's text, which every page fetches, does
// without. The build puts this file in the place of text/jinja/index.ts.
import { JinjaError } from '../text/jinja/meter.js';
import type { Rendered, RenderOptions } from '../text/jinja/index.js';
import type { Peer } from './peer.js';

export { JinjaError };

/** A JinjaError as a message carries it. */
export interface Faulty {
  readonly fault: JinjaError['fault'];
  readonly message: string;
}

export interface RenderCall {
  readonly source: string;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly options: Omit<RenderOptions, 'signal'>;
}

let caller: Peer | undefined;

/** Who renders. A worker holds one model, and has one caller. */
export function useCaller(peer: Peer): void {
  caller = peer;
}

/** As `renderTemplate` of Jinja itself. */
export async function renderTemplate(source: string, variables: RenderCall['variables'], { signal, ...options }: RenderOptions = {}): Promise<Rendered> {
  const call: RenderCall = { source, variables, options };
  const answer = await caller!.call<Rendered | Faulty>('render', call, { signal });
  if ('fault' in answer) throw new JinjaError(answer.fault, answer.message);
  return answer;
}
