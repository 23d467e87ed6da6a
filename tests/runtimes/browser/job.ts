import type { Build, LoadOptions } from 'stonechat';
import type { TrainOptions } from 'stonechat/train';
import type { Outcome } from '../cases.js';
import type { Trained } from '../training.js';

/** What the test asks of a page, and what comes back. */
export interface Job {
  realModels: boolean;
  builds: Build[];
  threads: number[];
  workerUrl?: string;
  kernelsFrom?: string;
  /** Loads by `loadInWorker`. */
  inModelWorker?: boolean;
  modelWorkerUrl?: string;
  /** Trains in place of generating. */
  training?: boolean;
  /** Lets a worker die between two generations. */
  killWorker?: boolean;
}

export type JobResult = { outcomes: Outcome[]; trained: Trained[] } | { error: { name: string; code: unknown; message: string } };

export const optionsOf = ({ workerUrl, modelWorkerUrl, kernelsFrom }: Job): LoadOptions => ({
  ...(modelWorkerUrl && { modelWorkerUrl: new URL(modelWorkerUrl, location.href) }),
  ...(workerUrl && { workerUrl: new URL(workerUrl, location.href) }),
  ...(kernelsFrom && { kernels: (build: Build, shared: boolean) => fetch(`${kernelsFrom}/${build}${shared ? '-shared' : ''}.wasm`) }),
});

export const trainOptionsOf = (job: Job): TrainOptions => ({
  ...optionsOf(job),
  ...(job.kernelsFrom && { trainKernels: (build: Build, shared: boolean) => fetch(`${job.kernelsFrom}/train/${build}${shared ? '-shared' : ''}.wasm`) }),
});
