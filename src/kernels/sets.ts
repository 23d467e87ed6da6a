import type { Build, Host, KernelSet } from '../host/host.js';
import { WEIGHT_TYPES, type WeightTypeName } from './weight-types.js';

/** The sets of kernels that matrices of these types need. */
export const setsOf = (types: Iterable<WeightTypeName>): KernelSet[] => [...new Set<KernelSet>(['core', ...Array.from(types, (type) => WEIGHT_TYPES[type].set)])];

/** All sets. */
export const ALL_SETS: readonly KernelSet[] = setsOf(Object.keys(WEIGHT_TYPES) as WeightTypeName[]);

/** Their modules, fetched and compiled side by side. */
export const compileSets = (host: Host, build: Build, shared: boolean, sets: readonly KernelSet[]): Promise<WebAssembly.Module[]> =>
  Promise.all(sets.map((set) => host.compile(build, shared, set)));
