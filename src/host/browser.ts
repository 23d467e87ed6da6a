import program from '#worker/web';
import { StonechatError } from '../errors.js';
import { openUrl } from '../files/url-source.js';
import { supportedBuilds } from './builds.js';
import { compileKernels, notCompiled } from './compile.js';
import { type Build, type Host, type HostSettings, type KernelSet, mergeSettings } from './host.js';
import { noFiles, noOutputs } from './no-files.js';
import { addressOf, startWebWorker, type WebWorkerKind } from './web-worker.js';

/** One address for all workers of the page. */
let programUrl: string | undefined;
const KIND: WebWorkerKind = { name: 'stonechat', script: 'stonechat/worker.js', option: 'workerUrl', otherwise: '{ threads: 1 }' };

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
async function compile(build: Build, shared: boolean, set: KernelSet, settings: HostSettings): Promise<WebAssembly.Module> {
  const module = await compileKernels(build, shared, set, settings);
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
    compile: (build, shared, set = 'core') => compile(build, shared, set, settings),
    startWorker: () => startWebWorker(settings.workerUrl ?? (programUrl ??= addressOf(program)), KIND),
    open: async (location, options) => openUrl(absolute(location), options),
    list: async () => undefined,
    save: noFiles,
    checkOutputs: noOutputs,
    yield: turn,
    configure: (more) => browserHost(mergeSettings(settings, more)),
  };
}
