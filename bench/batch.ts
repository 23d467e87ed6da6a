/**
 * What several sessions say at once, against taking turns; and how long a short answer takes beside somebody's long prompt.
 *
 *   npx esbuild bench/batch.ts --bundle --platform=node --format=esm --packages=external --outfile=.cache/batch.mjs
 *   node24 .cache/batch.mjs MODEL.gguf … [--sessions 8] [--tokens 48] [--rounds 5] [--threads 1] [--build relaxed] [--peer]
 *
 * Rounds go in turns, one kind after the other; medians of tokens per second. --peer: node-llama-cpp with as many sequences,
 * where it is installed (npm install --ignore-scripts node-llama-cpp, in a folder above).
 */
import { parseArgs } from 'node:util';
import type { Build } from '../src/host/host.js';
import { load } from '../src/entry/load-node.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sessions: { type: 'string', default: '8' }, tokens: { type: 'string', default: '48' }, rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '1' }, build: { type: 'string', default: 'relaxed' }, peer: { type: 'boolean', default: false },
    prompt: { type: 'string', default: '3200' },
  },
});
const [count, tokens, rounds, threads, long] = [values.sessions, values.tokens, values.rounds, values.threads, values.prompt].map(Number) as [number, number, number, number, number];
const median = (list: number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1]!;
const promptOf = (seed: number, length = 16): number[] => Array.from({ length }, (_, i) => 300 + ((i * 7919 + seed * 131) % 20_000));

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

interface Engine {
  readonly turns: () => Promise<void>;
  readonly together: () => Promise<void>;
  dispose(): void | Promise<void>;
}

async function ours(path: string): Promise<Engine & { beside(): Promise<[alone: number, beside: number]> }> {
  const model = await load(path, { threads, build: values.build as Build, contextLength: 4096 });
  const options = { temperature: 0, ignoreEos: true, top: 0, maxTokens: tokens, reusePrefix: false } as const;
  const sessions = Array.from({ length: count }, () => model.createSession());
  const say = (i: number) => sessions[i]!.generate(promptOf(i), options).text();
  const short = () => sessions[0]!.generate(promptOf(0), { ...options, maxTokens: 40 }).text();
  return {
    turns: async () => {
      for (let i = 0; i < count; i++) await say(i);
    },
    together: async () => void (await Promise.all(sessions.map((_, i) => say(i)))),
    beside: async () => {
      const alone = await seconds(short);
      const prompt = sessions[1]!.generate(promptOf(9, long), { ...options, maxTokens: 1 }).text();
      const took = await seconds(short);
      await prompt;
      return [alone, took];
    },
    dispose: () => model.dispose(),
  };
}

/** What is used of node-llama-cpp. */
interface LlamaSequence {
  clearHistory(): Promise<void>;
  evaluate(ids: number[], options: object): AsyncIterable<number>;
}
interface Llama {
  loadModel(options: object): Promise<{ createContext(options: object): Promise<{ getSequence(): LlamaSequence }>; dispose(): Promise<void> }>;
}

/** node-llama-cpp as its documentation has it: one context with so many sequences. */
async function theirs(path: string): Promise<Engine> {
  const { getLlama } = await import('node-llama-cpp' as string) as { getLlama: (options: object) => Promise<Llama> };
  const llama = await getLlama({ gpu: false, maxThreads: threads, logLevel: 'error' });
  const model = await llama.loadModel({ modelPath: path });
  const context = await model.createContext({ sequences: count, contextSize: 512, threads, batchSize: 64 * count });
  const sequences = Array.from({ length: count }, () => context.getSequence());
  const say = async (i: number): Promise<void> => {
    await sequences[i]!.clearHistory();
    let left = tokens;
    for await (const token of sequences[i]!.evaluate(promptOf(i), { temperature: 0 })) {
      void token;
      if (--left <= 0) break;
    }
  };
  return {
    turns: async () => {
      for (let i = 0; i < count; i++) await say(i);
    },
    together: async () => void (await Promise.all(sequences.map((_, i) => say(i)))),
    dispose: () => model.dispose(),
  };
}

async function measure(engine: Engine): Promise<{ turns: number; together: number }> {
  await engine.turns();
  await engine.together();
  const times = { turns: [] as number[], together: [] as number[] };
  for (let round = 0; round < rounds; round++) for (const kind of ['turns', 'together'] as const) times[kind].push(await seconds(engine[kind]));
  return { turns: (count * tokens) / median(times.turns), together: (count * tokens) / median(times.together) };
}

const line = (name: string, { turns, together }: { turns: number; together: number }): string =>
  `${name}: ${count} sessions, ${turns.toFixed(1)} tokens/s by turns, ${together.toFixed(1)} together: ${(together / turns).toFixed(2)} times`;

for (const path of positionals) {
  const name = path.split('/').at(-1)!;
  const engine = await ours(path);
  console.log(line(name, await measure(engine)));
  const pairs: [number, number][] = [];
  for (let i = 0; i < 3; i++) pairs.push(await engine.beside());
  const [alone, beside] = [median(pairs.map(([first]) => first)), median(pairs.map(([, second]) => second))];
  console.log(`${name}: 40 tokens alone ${alone.toFixed(2)} s, beside a prompt of ${long} tokens ${beside.toFixed(2)} s: ${(beside / alone).toFixed(2)} times`);
  await engine.dispose();
  if (!values.peer) continue;
  const peer = await theirs(path);
  console.log(line(`${name} in node-llama-cpp`, await measure(peer)));
  await peer.dispose();
}
