import { load } from 'stonechat';
import { runCases } from '../cases.js';
import { type Job, type JobResult, optionsOf } from './job.js';

/** Models come by their addresses, relative to the page. */
export async function runJob(job: Job): Promise<JobResult> {
  try {
    const source = (model: string) => new URL(`/plain/${model}`, location.origin).href;
    return { outcomes: await runCases({ ...job, load, source, options: optionsOf(job) }) };
  } catch (error) {
    const { name, message, code } = error as Error & { code?: unknown };
    return { error: { name, message, code } };
  }
}
