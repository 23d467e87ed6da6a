// A worker as wrangler would deploy it: the kernels are modules compiled beforehand, models come by fetch.
import { load } from 'stonechat';
import { runCases } from '../cases.js';

export default {
  async fetch(request: Request): Promise<Response> {
    const { models, builds, threads } = (await request.json()) as { models: string; builds: ['simd']; threads: number[] };
    const json = (value: unknown) => new Response(JSON.stringify(value), { headers: { 'content-type': 'application/json' } });
    try {
      return json({ outcomes: await runCases({ load, source: (model) => `${models}/${model}`, builds, threads }) });
    } catch (error) {
      return json({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  },
};
