import { unavailable } from '../files/refuse.js';
import type { WorkerHandle } from './host.js';

/** How a worker is told apart from others, and what a page can do where its policy forbids `blob:`. */
export interface WebWorkerKind {
  readonly name: string;
  /** The package's script that a page can serve itself. */
  readonly script: string;
  /** The option that names its address. */
  readonly option: string;
  /** What else may be done. */
  readonly otherwise: string;
}

function create(url: string | URL, { name, script, option, otherwise }: WebWorkerKind): Worker {
  try {
    return new Worker(url, { type: 'module', name });
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    const remedy = `Allow \`worker-src blob:\` in the page's policy, serve ${script} and name it as \`${option}\`, or use ${otherwise}.`;
    throw unavailable('to start a worker', found, remedy, cause);
  }
}

/** A worker of a page. @throws StonechatError `unavailable` */
export function startWebWorker(url: string | URL, kind: WebWorkerKind): WorkerHandle {
  const worker = create(url, kind);
  // A script that cannot be loaded gives an event without a message.
  const noScript = `its script did not load (the policy must allow \`worker-src blob:\`, or \`${kind.option}\` name ${kind.script} on this server)`;
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (listener) => worker.addEventListener('message', (event) => listener(event.data)),
    onFailure(listener) {
      worker.addEventListener('error', (event) => listener(event.message || noScript));
      worker.addEventListener('messageerror', () => listener('a message that could not be read'));
    },
    terminate: () => worker.terminate(),
  };
}

/** The address of a script's text, made once: it lives as long as the page. */
export function addressOf(text: string): string {
  return URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
}
