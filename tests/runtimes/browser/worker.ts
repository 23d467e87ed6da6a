import type { Job } from './job.js';
import { runJob } from './run.js';

addEventListener('message', async ({ data }: MessageEvent<Job>) => postMessage(await runJob(data)));
