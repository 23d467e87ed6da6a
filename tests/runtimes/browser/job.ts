import type { Build, KernelSet, LoadOptions } from 'stonechat';
import type { TrainOptions } from 'stonechat/train';
import type { Outcome } from '../cases.js';
import type { Trained } from '../training.js';

/** What the test asks of a page, and what comes back. */
export interface Job {
  realModels: boolean;
  /** 'offered': all that this browser runs rightly. */
  builds: Build[] | 'offered';
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

export type JobResult = { builds: Build[]; threads: boolean; outcomes: Outcome[]; trained: Trained[] } | { error: { name: string; code: unknown; message: string } };

/** What a page without a driver is asked to do: see remote.ts. */
export interface Order {
  policy: string;
  where: 'inWorker' | 'onPage';
  job: Job;
}

export const optionsOf = ({ workerUrl, modelWorkerUrl, kernelsFrom }: Job): LoadOptions => ({
  ...(modelWorkerUrl && { modelWorkerUrl: new URL(modelWorkerUrl, location.href) }),
  ...(workerUrl && { workerUrl: new URL(workerUrl, location.href) }),
  ...(kernelsFrom && { kernels: (build: Build, shared: boolean, set: KernelSet) => fetch(`${kernelsFrom}/${set}/${build}${shared ? '-shared' : ''}.wasm`) }),
});

export const trainOptionsOf = (job: Job): TrainOptions => ({
  ...optionsOf(job),
  ...(job.kernelsFrom && { trainKernels: (build: Build, shared: boolean) => fetch(`${job.kernelsFrom}/train/${build}${shared ? '-shared' : ''}.wasm`) }),
});
