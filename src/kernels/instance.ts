import { instantiateSync } from '@assemblyscript/loader';
import { StonechatError } from '../errors.js';
import type { Build } from '../host/host.js';
import type { BenchExports } from './bench-exports.js';
import type { KernelExports } from './exports.js';
import type { TrainExports } from './train-exports.js';

export type { BenchExports, Build, KernelExports, TrainExports };
/** Any kernel, of any set. */
export type KernelName = keyof (KernelExports & TrainExports & BenchExports);

export const BUILDS: readonly Build[] = ['scalar', 'simd', 'relaxed'];

export const PAGE_BYTES = 65536;
export const MAX_PAGES = 65536;

/** One instance of the kernels over one linear memory. */
export interface Kernels {
  readonly build: Build;
  readonly exports: KernelExports;
  readonly memory: WebAssembly.Memory;
  /** The compiled module, to be posted to workers. */
  readonly module: WebAssembly.Module;
  /** The module of a second set (training, probes), where it is there too. */
  readonly secondModule?: WebAssembly.Module;
}

/** Two modules over one memory, their exports together: kernels that generate, and a second set. */
export interface ExtendedKernels<Second> extends Kernels {
  readonly exports: KernelExports & Second;
  readonly secondModule: WebAssembly.Module;
}
export type TrainKernels = ExtendedKernels<TrainExports>;

/** @throws StonechatError `out-of-memory`: engines set aside addresses for all that a memory may become. */
export function newMemory(pages: number, shared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: MAX_PAGES, shared });
  } catch (cause) {
    throw new StonechatError({
      code: 'out-of-memory',
      expected: `addresses for a WebAssembly memory of up to ${MAX_PAGES / 16384} GiB`,
      found: cause instanceof Error ? cause.message : String(cause),
      remedy: 'Dispose of models that are no longer needed, or use { threads: 1 }: a memory that is not shared takes less.',
      cause,
    });
  }
}

/**
 * Instantiates through the AssemblyScript loader. The exports are the instance's own: the loader's wrappers, which count
 * arguments for optional ones, cost more than a small kernel's call.
 */
function instantiate<Exports>(module: WebAssembly.Module, memory: WebAssembly.Memory): Exports {
  const imports = { env: { memory } };
  // The loader asks by instanceof; a module of another realm (Next's edge sandbox) is none to it.
  const { exports } = module instanceof WebAssembly.Module ? instantiateSync(module, imports).instance : new WebAssembly.Instance(module, imports);
  return exports as Exports;
}

/** Instantiates a compiled module on `memory` (a fresh one page by default). */
export function instantiateKernels(module: WebAssembly.Module, build: Build, memory = newMemory(1, false)): Kernels {
  return { build, exports: instantiate<KernelExports>(module, memory), memory, module };
}

/** Two sets of kernels on one memory. Their read-only tables do not overlap: see memoryBase in asconfig.*.json. */
export function instantiateExtended<Second extends object>(module: WebAssembly.Module, secondModule: WebAssembly.Module, build: Build, memory = newMemory(1, false)): ExtendedKernels<Second> {
  const base = instantiateKernels(module, build, memory);
  return { ...base, exports: { ...base.exports, ...instantiate<Second>(secondModule, memory) }, secondModule };
}
export const instantiateTrainKernels = instantiateExtended<TrainExports>;

/** The training kernels alone. */
export function trainExports(trainModule: WebAssembly.Module, memory: WebAssembly.Memory): TrainExports {
  return instantiate<TrainExports>(trainModule, memory);
}

/** Instantiates on a memory of its own: not shared, unless the module is a shared twin. */
export function onOwnMemory<Instance>(instantiate: (memory: WebAssembly.Memory) => Instance): Instance {
  try {
    return instantiate(newMemory(1, false));
  } catch (cause) {
    if (!(cause instanceof WebAssembly.LinkError)) throw cause;
    return instantiate(newMemory(1, true));
  }
}
