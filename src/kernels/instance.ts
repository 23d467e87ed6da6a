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

/** One instance of some sets of kernels over one linear memory, their exports together. */
export interface Kernels {
  readonly build: Build;
  /** Of the sets that are there. */
  readonly exports: KernelExports;
  readonly memory: WebAssembly.Memory;
  /** The set `core`. */
  readonly module: WebAssembly.Module;
  /** All compiled modules, to be posted to workers. */
  readonly modules: readonly WebAssembly.Module[];
}

/** With a set that does not generate (training, probes). */
export interface ExtendedKernels<Second> extends Kernels {
  readonly exports: KernelExports & Second;
  readonly secondModule: WebAssembly.Module;
}
export type TrainKernels = ExtendedKernels<TrainExports>;

/** The set `core`, alone or with others behind it. */
export type Sets = WebAssembly.Module | readonly WebAssembly.Module[];

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

const listOf = (sets: Sets): readonly WebAssembly.Module[] => (Array.isArray(sets) ? sets : [sets]);

/** Instantiates compiled sets on `memory` (a fresh one page by default). Their read-only tables do not overlap: scripts/kernel-sets.mjs. */
export function instantiateKernels(sets: Sets, build: Build, memory = newMemory(1, false)): Kernels {
  const modules = listOf(sets);
  const exports = Object.assign({}, ...modules.map((module) => instantiate<object>(module, memory))) as KernelExports;
  return { build, exports, memory, module: modules[0]!, modules };
}

/** The same with more sets, for weights that come later. Threads that are already there go on without them. */
export function addSets<Before extends Kernels>(kernels: Before, modules: readonly WebAssembly.Module[]): Before {
  const { exports } = instantiateKernels(modules, kernels.build, kernels.memory);
  return { ...kernels, exports: { ...kernels.exports, ...exports }, modules: [...kernels.modules, ...modules] };
}

/** Sets that generate and one that does not. */
export function instantiateExtended<Second extends object>(sets: Sets, secondModule: WebAssembly.Module, build: Build, memory = newMemory(1, false)): ExtendedKernels<Second> {
  const all = instantiateKernels([...listOf(sets), secondModule], build, memory);
  return { ...all, exports: all.exports as KernelExports & Second, secondModule };
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
