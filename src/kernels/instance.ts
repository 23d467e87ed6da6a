import { instantiateSync } from '@assemblyscript/loader';
import type { Build } from '../host/host.js';
import type { KernelExports } from './exports.js';

export type { Build, KernelExports };

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
}

export function newMemory(pages: number, shared: boolean): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: pages, maximum: MAX_PAGES, shared });
}

/** Instantiates a compiled module through the AssemblyScript loader, on `memory` (a fresh one page by default). */
export function instantiateKernels(module: WebAssembly.Module, build: Build, memory = newMemory(1, false)): Kernels {
  const { exports } = instantiateSync<KernelExports & Record<string, unknown>>(module, { env: { memory } });
  return { build, exports, memory, module };
}
