import { kernelCode } from '#kernels';
import { StonechatError } from '../errors.js';
import type { Build, HostSettings, KernelCode } from './host.js';

/** By name, not `instanceof`: a module may come from another realm. */
const tag = (code: KernelCode): string => Object.prototype.toString.call(code).slice(8, -1);

async function toModule(code: KernelCode): Promise<WebAssembly.Module> {
  if (tag(code) === 'WebAssembly.Module') return code as WebAssembly.Module;
  if (tag(code) !== 'Response') return WebAssembly.compile(code as BufferSource);
  const response = code as Response;
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}`);
  // No `await` in the argument: Next wraps every call of WebAssembly.compile in a function that is not async.
  return response.arrayBuffer().then((bytes) => WebAssembly.compile(bytes));
}

/** Embedded kernels are decoded and compiled once: code that an engine has made faster stays so from one model to the next. */
const compiled = new Map<string, Promise<WebAssembly.Module>>();

/** The module of a build: the caller's own where `settings.kernels` brings it, else the embedded one. @throws StonechatError `unavailable`. */
export function compileKernels(build: Build, shared: boolean, { kernels = kernelCode }: HostSettings): Promise<WebAssembly.Module> {
  if (kernels !== kernelCode) return compileCode(kernels, build, shared);
  const key = `${build} ${shared}`;
  const module = compiled.get(key) ?? compileCode(kernels, build, shared);
  compiled.set(key, module);
  module.catch(() => compiled.delete(key));
  return module;
}

/** @throws StonechatError `unavailable` */
export async function compileCode(kernels: NonNullable<HostSettings['kernels']>, build: Build, shared: boolean): Promise<WebAssembly.Module> {
  try {
    return await toModule(await kernels(build, shared));
  } catch (cause) {
    throw notCompiled(build, cause);
  }
}

export const notCompiled = (build: Build, cause: unknown): StonechatError =>
  new StonechatError({
    code: 'unavailable',
    expected: `to compile the ${build} kernels`,
    found: cause instanceof Error ? cause.message : String(cause),
    remedy:
      "A page needs 'wasm-unsafe-eval' in the script-src of its content security policy; on an edge platform bundle with its export condition " +
      '(workerd, edge-light), or pass compiled modules as the option `kernels`. See docs/runtimes.md.',
    cause,
  });
