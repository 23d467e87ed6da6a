import type { Host } from '../host/host.js';
import { Arena } from '../kernels/arena.js';
import { type BenchExports, type Build, type ExtendedKernels, instantiateExtended, newMemory } from '../kernels/instance.js';
import { ALL_SETS, compileSets } from '../kernels/sets.js';

export type BenchKernels = ExtendedKernels<BenchExports>;

/** Compiles the probes of a build: the second set of kernels that only a bench loads. */
export type CompileProbes = (build: Build, shared: boolean) => Promise<WebAssembly.Module>;

/** The kernels of one build with the probes beside them, in a memory of their own. */
export interface Workbench {
  readonly host: Host;
  readonly build: Build;
  readonly kernels: BenchKernels;
  /** The module without shared memory, for what brings its own memory (tokenizers). */
  readonly plainModule: WebAssembly.Module;
  readonly arena: Arena;
}

export async function openWorkbench(host: Host, build: Build, shared: boolean, compileProbes: CompileProbes): Promise<Workbench> {
  const [sets, probes, plainModule] = await Promise.all([compileSets(host, build, shared, ALL_SETS), compileProbes(build, shared), host.compile(build, false)]);
  const kernels = instantiateExtended<BenchExports>(sets, probes, build, newMemory(1, shared));
  return { host, build, kernels, plainModule, arena: new Arena(kernels.memory) };
}

export interface Region {
  readonly address: number;
  readonly bytes: number;
}

/** Memory of a workbench that is given back at once. */
export class Space {
  private readonly taken: Region[] = [];

  constructor(readonly bench: Workbench) {}

  get exports(): BenchKernels['exports'] {
    return this.bench.kernels.exports;
  }

  /** Zeroed. */
  allocate(bytes: number): Region {
    const region = { address: this.bench.arena.allocate(bytes, 'a bench'), bytes };
    this.taken.push(region);
    this.view(region).fill(0);
    return region;
  }

  place(data: ArrayBufferView): Region {
    const region = this.allocate(data.byteLength);
    this.write(region, data);
    return region;
  }

  write(region: Region, data: ArrayBufferView): void {
    this.view(region).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }

  view({ address, bytes }: Region): Uint8Array {
    return new Uint8Array(this.bench.kernels.memory.buffer, address, bytes);
  }

  /** FNV-1a over the 32-bit words of a region, as 16 hexadecimal digits. */
  hash({ address, bytes }: Region): string {
    const state = this.allocate(8);
    const words = new Uint32Array(this.bench.kernels.memory.buffer, state.address, 2);
    words.set([0x84222325, 0xcbf29ce4]);
    this.exports.hash_words(state.address, address, bytes / 4);
    return [words[1]!, words[0]!].map((word) => word.toString(16).padStart(8, '0')).join('');
  }

  release(): void {
    for (const { address, bytes } of this.taken.splice(0)) this.bench.arena.release(address, bytes);
  }
}
