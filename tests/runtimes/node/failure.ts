// Lets a worker end while it generates or trains, and prints how long its caller took to notice, as JSON:
// node failure.js model.gguf generate|train terminate|exit|throw
// `terminate` kills the thread between two runs; `exit` and `throw` happen in the middle of one, which its caller waits for.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from 'stonechat';
import { train } from 'stonechat/train';
import { birdCorpus } from '../../train/corpora.js';
import { watched } from './watched-threads.js';

const [path, what, way] = process.argv.slice(2) as [string, 'generate' | 'train', 'terminate' | 'exit' | 'throw'];
const folder = mkdtempSync(join(tmpdir(), 'stonechat-failure-'));
const clock = join(folder, 'when');

const END = { exit: 'process.exit(3)', throw: 'throw new Error("an accident")', terminate: '' }[way];
/** Before the worker's own program: at its hundredth meeting it notes the time and ends. */
const accident = `{
  const { Instance } = WebAssembly;
  const { writeFileSync } = process.getBuiltinModule('node:fs');
  WebAssembly.Instance = class {
    constructor(...list) {
      const { exports } = new Instance(...list);
      let meetings = 0;
      const barrier = (...values) => {
        if (++meetings === 100) { writeFileSync(${JSON.stringify(clock)}, String(Date.now())); ${END} }
        return exports.barrier(...values);
      };
      this.exports = exports.barrier ? { ...exports, barrier } : exports;
    }
  };
}
`;

if (way !== 'terminate') watched.before = accident;
let when = 0;
/** Kills the workers behind the engine's back. */
function kill(): void {
  when = Date.now();
  for (const worker of watched.started) void worker.terminate();
}

async function generate(): Promise<void> {
  const model = await load(path, { threads: 2 });
  for await (const _ of model.generate('Once', { maxTokens: 4 }));
  if (way === 'terminate') kill();
  await new Promise((resolve) => setTimeout(resolve, 50));
  for await (const _ of model.generate('Once', { maxTokens: 200 }));
}

async function learn(): Promise<void> {
  const config = { embedding: 32, layers: 2, heads: 2, kvHeads: 1, context: 32 };
  const onEvent = ({ kind }: { kind: string }) => void (kind === 'step' && way === 'terminate' && !when && setImmediate(kill));
  await train(birdCorpus(60), { config, vocabulary: 300, steps: 100_000, batch: 4, seed: 3, threads: 2, onEvent });
}

try {
  await (what === 'train' ? learn() : generate());
  console.log(JSON.stringify({ error: 'none' }));
} catch (error) {
  const { code, message } = error as { code?: string; message: string };
  const noticed = Date.now();
  if (way !== 'terminate') when = Number(readFileSync(clock, 'utf8'));
  console.log(JSON.stringify({ code, message, ms: noticed - when }));
}
rmSync(folder, { recursive: true });
process.exit(0);
