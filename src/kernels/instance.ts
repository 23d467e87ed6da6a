import { instantiateSync } from '@assemblyscript/loader';
import type { Build } from '../host/host.js';
import type { KernelExports } from './exports.js';
import type { TrainExports } from './train-exports.js';

export type { Build, KernelExports, TrainExports };
/** Any kernel, of either set. */
export type KernelName = keyof (KernelExports & TrainExports);

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
  /** The module of the training kernels, where they are there too. */
  readonly trainModule?: WebAssembly.Module;
}

/** Kernels that generate and train: two modules over one memory, their exports together. */
export interface TrainKernels extends Kernels {
  readonly exports: KernelExports & TrainExports;
  readonly trainModule: WebAssembly.Module;
}

export function newMemory(pages: number, shared: boolean): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: pages, maximum: MAX_PAGES, shared });
}

/** Instantiates a compiled module through the AssemblyScript loader, on `memory` (a fresh one page by default). */
export function instantiateKernels(module: WebAssembly.Module, build: Build, memory = newMemory(1, false)): Kernels {
  const { exports } = instantiateSync<KernelExports & Record<string, unknown>>(module, { env: { memory } });
  return { build, exports, memory, module };
}

/** Both sets of kernels on one memory. Their read-only tables do not overlap: see asconfig.train.json. */
export function instantiateTrainKernels(module: WebAssembly.Module, trainModule: WebAssembly.Module, build: Build, memory = newMemory(1, false)): TrainKernels {
  const base = instantiateKernels(module, build, memory);
  const train = instantiateSync<TrainExports & Record<string, unknown>>(trainModule, { env: { memory } });
  return { ...base, exports: { ...base.exports, ...train.exports }, trainModule };
}
