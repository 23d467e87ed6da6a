import { builds as embedded } from '#kernels';
import { StonechatError } from '../errors.js';
import { openUrl } from '../files/url-source.js';
import { supportedBuilds } from './builds.js';
import { compileKernels } from './compile.js';
import { type Host, type HostSettings, mergeSettings } from './host.js';
import { noFiles, noOutputs } from './no-files.js';

const unavailable = (expected: string, found: string, remedy: string) => new StonechatError({ code: 'unavailable', expected, found, remedy });

function checkUrl(location: string): string {
  if (/^(https?|data):/i.test(location)) return location;
  throw unavailable('an http(s) URL', JSON.stringify(location), 'Edge functions have no files: pass a URL, or the bytes themselves.');
}

function noThreads(): never {
  throw unavailable('a host with workers', 'an edge function', 'Use { threads: 1 }.');
}

/** Cloudflare Workers, Vercel Edge and the like: modules compiled at deployment, one thread, no blocking, no files. */
export function edgeHost(settings: HostSettings = {}): Host {
  return {
    name: 'edge',
    get builds() {
      return supportedBuilds(false).filter((build) => settings.kernels !== undefined || (embedded?.includes(build) ?? true));
    },
    canThread: false,
    canWait: false,
    processors: 1,
    compile: async (build, shared, set = 'core') => (shared ? noThreads() : compileKernels(build, shared, set, settings)),
    startWorker: noThreads,
    open: async (location, options) => openUrl(checkUrl(location), options),
    list: async () => undefined,
    save: noFiles,
    checkOutputs: noOutputs,
    yield: () => new Promise((resolve) => setTimeout(resolve, 0)),
    configure: (more) => edgeHost(mergeSettings(settings, more)),
  };
}
