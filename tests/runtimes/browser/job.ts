import type { Build, LoadOptions } from 'stonechat';
import type { Outcome } from '../cases.js';

/** What the test asks of a page, and what comes back. */
export interface Job {
  realModels: boolean;
  builds: Build[];
  threads: number[];
  workerUrl?: string;
  kernelsFrom?: string;
}

export type JobResult = { outcomes: Outcome[] } | { error: { name: string; code: unknown; message: string } };

export const optionsOf = ({ workerUrl, kernelsFrom }: Job): LoadOptions => ({
  ...(workerUrl && { workerUrl: new URL(workerUrl, location.href) }),
  ...(kernelsFrom && { kernels: (build: Build, shared: boolean) => fetch(`${kernelsFrom}/${build}${shared ? '-shared' : ''}.wasm`) }),
});
