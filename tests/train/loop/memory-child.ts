// Run by memory.test.ts in a process of its own: how much memory training takes beside what was estimated.
import { train, type TrainOptions } from 'stonechat/train';
import { birdCorpus } from '../corpora.js';

const corpus = birdCorpus(1500);
let estimated = 0;
const go = (options: TrainOptions) =>
  train(corpus, { vocabulary: 512, steps: 1, evaluationTokens: 2000, checkpoint: process.argv[2], ...options, onEvent: (event) => void (event.kind === 'start' && (estimated = event.memory.total + event.memory.copies)) });

await go({ config: { embedding: 32, layers: 1, heads: 1, context: 32 }, batch: 2 }); // code, tokenizer: not the model's
const before = process.memoryUsage().rss;
await go({ config: { embedding: 256, layers: 4, heads: 8, context: 256 }, batch: 6, threads: 2 });
console.log(JSON.stringify({ estimated, grown: process.resourceUsage().maxRSS * 1024 - before }));
