import { type Build, load, loadInWorker } from 'stonechat';
import * as trainer from 'stonechat/train';
import { runCases, SYNTHETIC } from '../cases.js';
import { runTraining } from '../training.js';
import { type Job, type JobResult, optionsOf, trainOptionsOf } from './job.js';

const canThread = () => globalThis.crossOriginIsolated && typeof SharedArrayBuffer === 'function';

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
  return { builds: [], threads: canThread(), outcomes: [], trained: [] };
}

/** The builds that may be asked for here, slowest first. */
async function offered(job: Job): Promise<Build[]> {
  const found: Build[] = [];
  for (const build of ['scalar', 'simd', 'relaxed'] as const) {
    const model = await load(source(SYNTHETIC), { ...optionsOf(job), build, threads: 1 }).catch((error: { found?: string }) => {
      if (error.found !== build) throw error;
    });
    if (model) found.push(build);
    model?.dispose();
  }
  return found;
}

/** The cases use of a model what one in a worker has too. */
const inModelWorker = loadInWorker as unknown as typeof load;

export async function runJob(job: Job): Promise<JobResult> {
  try {
    if (job.killWorker) return await outliveWorker();
    const builds = job.builds === 'offered' ? await offered(job) : job.builds;
    const trained = job.training ? await runTraining(trainer, builds, job.threads, trainOptionsOf(job)) : [];
    const outcomes = job.training ? [] : await runCases({ ...job, builds, load: job.inModelWorker ? inModelWorker : load, source, options: optionsOf(job) });
    return { builds, threads: canThread(), outcomes, trained };
  } catch (error) {
    const { name, message, code } = error as Error & { code?: unknown };
    return { error: { name, message, code } };
  }
}
