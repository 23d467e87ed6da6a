import { kernelCode } from '#kernels';
import { StonechatError } from '../errors.js';
import { WEIGHT_TYPES } from '../kernels/weight-types.js';
import type { Build, HostSettings, KernelCode, KernelSet } from './host.js';

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

/** The module of a set in a build: the caller's own where `settings.kernels` brings it, else the embedded one. @throws StonechatError `unavailable`. */
export function compileKernels(build: Build, shared: boolean, set: KernelSet, { kernels }: HostSettings): Promise<WebAssembly.Module> {
  if (kernels) return compileCode(build, () => kernels(build, shared, set), set);
  const key = `${build} ${shared} ${set}`;
  const module = compiled.get(key) ?? compileCode(build, () => kernelCode(build, shared, set));
  compiled.set(key, module);
  module.catch(() => compiled.delete(key));
  return module;
}

type Answer = KernelCode | undefined;

/** What a caller brings may be nothing, or other kernels than those of `set`. @throws StonechatError `unavailable` */
export async function compileCode(build: Build, code: () => Answer | Promise<Answer>, set?: KernelSet): Promise<WebAssembly.Module> {
  let module: WebAssembly.Module | undefined;
  try {
    const answer = await code();
    module = answer && (await toModule(answer));
  } catch (cause) {
    throw notCompiled(build, cause);
  }
  if (module && (!set || holds(module, set))) return module;
  throw noSet(build, set!, module ? 'a module without them' : 'nothing');
}

const typesOf = (set: KernelSet): string[] => Object.entries(WEIGHT_TYPES).flatMap(([type, row]) => (row.set === set ? [type] : []));

/** By a kernel that only this set has. */
function holds(module: WebAssembly.Module, set: KernelSet): boolean {
  const [type] = typesOf(set);
  return WebAssembly.Module.exports(module).some(({ name }) => name === (type ? `repack_${type}` : 'text_encode'));
}

const noSet = (build: Build, set: KernelSet, found: string): StonechatError =>
  new StonechatError({
    code: 'unavailable',
    expected: `kernels of the set ${set} (for ${typesOf(set).join(', ') || 'every model'}) from the option \`kernels\``,
    found,
    remedy: `Let it answer with stonechat/kernels/${set}/${build}.wasm where its third argument is '${set}'.`,
  });

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
