import type { Line } from './kernels.js';
import type { Limits } from './limits.js';
import type { Proof } from './proof.js';

/** What was measured on. */
export interface Machine {
  /** Where the host knows it. */
  readonly cpu?: string;
  readonly processors: number;
  /** Runtime and version. */
  readonly runtime: string;
  readonly builds: readonly string[];
  readonly threads: readonly number[];
  /** Of one core, by build. */
  readonly limits: readonly Limits[];
}

/** What `stonechat bench --json` prints. `schema` changes when a field changes its meaning or goes. */
export interface Report {
  readonly schema: 1;
  readonly quick: boolean;
  readonly machine: Machine;
  readonly proof: Proof & { readonly logitsHash?: string };
  readonly model?: string;
  readonly lines: readonly Line[];
}
