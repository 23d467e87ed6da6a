import { load } from 'stonechat';
import * as trainer from 'stonechat/train';
import { runCases } from '../cases.js';
import { runTraining } from '../training.js';
import { type Job, type JobResult, optionsOf, trainOptionsOf } from './job.js';

/** Models come by their addresses, relative to the page. */
export async function runJob(job: Job): Promise<JobResult> {
  try {
    const source = (model: string) => new URL(`/plain/${model}`, location.origin).href;
    const trained = job.training ? await runTraining(trainer, job.builds, job.threads, trainOptionsOf(job)) : [];
    return { outcomes: job.training ? [] : await runCases({ ...job, load, source, options: optionsOf(job) }), trained };
  } catch (error) {
    const { name, message, code } = error as Error & { code?: unknown };
    return { error: { name, message, code } };
  }
}
