// A worker as wrangler would deploy it: the kernels are modules compiled beforehand, models come by fetch.
import { load } from 'stonechat';
import * as trainer from 'stonechat/train';
import { type Bench, runCases } from '../cases.js';
import { runTraining } from '../training.js';

export type Job = Pick<Bench, 'realModels' | 'builds' | 'threads'> & { origin: string };

export default {
  async fetch(request: Request): Promise<Response> {
    const { origin, ...job } = (await request.json()) as Job;
    const json = (value: unknown) => new Response(JSON.stringify(value), { headers: { 'content-type': 'application/json' } });
    try {
      const outcomes = await runCases({ ...job, load, source: (model) => `${origin}/${model}` });
      return json({ outcomes, trained: await runTraining(trainer, job.builds, job.threads) });
    } catch (error) {
      return json({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  },
};
