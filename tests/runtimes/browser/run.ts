import { load, loadInWorker } from 'stonechat';
import * as trainer from 'stonechat/train';
import { runCases, SYNTHETIC } from '../cases.js';
import { runTraining } from '../training.js';
import { type Job, type JobResult, optionsOf, trainOptionsOf } from './job.js';

/** Models come by their addresses, relative to the page. */
const source = (model: string) => new URL(`/plain/${model}`, location.origin).href;

/** Chromium lets a worker that is busy, or blocked, go on for two seconds. */
const DEATH_MS = 3000;

/** Loads with two threads, ends the worker behind the engine's back, and generates: in the first run both threads take part. */
async function outliveWorker(): Promise<JobResult> {
  const started: Worker[] = [];
  globalThis.Worker = class extends Worker {
    constructor(...list: ConstructorParameters<typeof Worker>) {
      super(...list);
      started.push(this);
    }
  };
  const model = await load(source(SYNTHETIC), { threads: 2 });
  if (started.length === 0) throw new Error('no worker was started');
  for (const worker of started) worker.terminate();
  await new Promise((resolve) => setTimeout(resolve, DEATH_MS));
  for await (const _ of model.generate('Once', { maxTokens: 4 }));
  return { outcomes: [], trained: [] };
}

/** The cases use of a model what one in a worker has too. */
const inModelWorker = loadInWorker as unknown as typeof load;

export async function runJob(job: Job): Promise<JobResult> {
  try {
    if (job.killWorker) return await outliveWorker();
    const trained = job.training ? await runTraining(trainer, job.builds, job.threads, trainOptionsOf(job)) : [];
    return { outcomes: job.training ? [] : await runCases({ ...job, load: job.inModelWorker ? inModelWorker : load, source, options: optionsOf(job) }), trained };
  } catch (error) {
    const { name, message, code } = error as Error & { code?: unknown };
    return { error: { name, message, code } };
  }
}
