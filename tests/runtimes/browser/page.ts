import type { Job, JobResult } from './job.js';
import { runJob } from './run.js';

export interface Page {
  /** Runs the job in a worker, as an application should; `ticks` counts the page's own timer meanwhile. */
  inWorker(job: Job): Promise<{ result: JobResult; ticks: number }>;
  /** Runs it on the page's main thread. */
  onPage(job: Job): Promise<JobResult>;
}

async function inWorker(job: Job): Promise<{ result: JobResult; ticks: number }> {
  const worker = new Worker('worker.js', { type: 'module' });
  let ticks = 0;
  const timer = setInterval(() => ticks++, 10);
  try {
    const result = await new Promise<JobResult>((resolve, reject) => {
      worker.addEventListener('message', ({ data }: MessageEvent<JobResult>) => resolve(data));
      worker.addEventListener('error', ({ message }) => reject(new Error(`worker: ${message}`)));
      worker.postMessage(job);
    });
    return { result, ticks };
  } finally {
    clearInterval(timer);
    worker.terminate();
  }
}

export const page: Page = { inWorker, onPage: runJob };
(globalThis as unknown as { page: Page }).page = page;
