import program from '#worker/web';
import { StonechatError } from '../errors.js';
import { openUrl } from '../files/url-source.js';
import { supportedBuilds } from './builds.js';
import { compileKernels, notCompiled } from './compile.js';
import { type Build, type Host, type HostSettings, mergeSettings, type WorkerHandle } from './host.js';
import { noFiles, noOutputs } from './no-files.js';

/** One address for all workers of the page; it lives as long as the page. */
let programUrl: string | undefined;
const embeddedUrl = () => (programUrl ??= URL.createObjectURL(new Blob([program], { type: 'text/javascript' })));

function createWorker(url: string | URL): Worker {
  try {
    return new Worker(url, { type: 'module', name: 'stonechat' });
  } catch (cause) {
    throw new StonechatError({
      code: 'unavailable',
      expected: 'to start a worker',
      found: cause instanceof Error ? cause.message : String(cause),
      remedy: "Allow `worker-src blob:` in the page's policy, serve stonechat/worker.js and name it as `workerUrl`, or use { threads: 1 }.",
      cause,
    });
  }
}

/** A script that cannot be loaded gives an event without a message. */
const NO_SCRIPT = 'its script did not load (the policy must allow `worker-src blob:`, or `workerUrl` name stonechat/worker.js on this server)';

function startWorker(url: string | URL): WorkerHandle {
  const worker = createWorker(url);
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (listener) => worker.addEventListener('message', (event) => listener(event.data)),
    onFailure(listener) {
      worker.addEventListener('error', (event) => listener(event.message || NO_SCRIPT));
      worker.addEventListener('messageerror', () => listener('a message that could not be read'));
    },
    terminate: () => worker.terminate(),
  };
}

/** Lets the event loop turn. A timer would be held back to 4 ms when nested. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

/** Only dedicated workers may block; `instanceof` because pages have the constructor too. */
const isWorker = () => {
  const scope = (globalThis as { DedicatedWorkerGlobalScope?: new () => object }).DedicatedWorkerGlobalScope;
  return scope !== undefined && globalThis instanceof scope;
};

function absolute(location: string): string {
  try {
    return new URL(location, globalThis.location?.href).href;
  } catch (cause) {
    throw new StonechatError({
      code: 'not-found',
      expected: 'the address of a model file',
      found: JSON.stringify(location),
      remedy: 'Inside a worker made from a blob, relative addresses have no base: give the whole URL.',
      cause,
    });
  }
}

/** Magic and version. */
const EMPTY_MODULE = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

/** WebKit compiles what the page's policy forbids, and refuses to instantiate it. @throws StonechatError `unavailable`. */
async function compile(build: Build, shared: boolean, settings: HostSettings): Promise<WebAssembly.Module> {
  const module = await compileKernels(build, shared, settings);
  await WebAssembly.instantiate(EMPTY_MODULE).catch((cause: unknown) => {
    throw notCompiled(build, cause);
  });
  return module;
}

/** WebKitGTK calls pages isolated and has no memory to share. */
const canThread = () => globalThis.crossOriginIsolated === true && typeof SharedArrayBuffer === 'function' && typeof Worker === 'function';

/** A page or a worker of it. */
export function browserHost(settings: HostSettings = {}): Host {
  return {
    name: 'browser',
    get builds() {
      return supportedBuilds(true);
    },
    canThread: canThread(),
    canWait: isWorker(),
    processors: globalThis.navigator?.hardwareConcurrency ?? 1,
    compile: (build, shared) => compile(build, shared, settings),
    startWorker: () => startWorker(settings.workerUrl ?? embeddedUrl()),
    open: async (location, options) => openUrl(absolute(location), options),
    list: async () => undefined,
    save: noFiles,
    checkOutputs: noOutputs,
    yield: turn,
    configure: (more) => browserHost(mergeSettings(settings, more)),
  };
}
