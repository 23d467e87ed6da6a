// The one case file that every runtime runs. It names no runtime: the entry under test and the way to a model are
// passed in. All runtimes, builds and thread counts must give the same ids, text and bits of logits.
import type { Build, GenerateOptions, LoadOptions, Model, Source } from 'stonechat';
import { defaultModel } from 'stonechat/default-model';

export interface Case {
  name: string;
  /** Below ../shared/data/models, the file that synthetic.ts makes, or the model of the package. */
  model: string;
  prompt: string;
  load?: LoadOptions;
  generate: GenerateOptions;
}

export interface Outcome {
  name: string;
  build: Build;
  threads: number;
  ids: number[];
  text: string;
  logitsHash: string | undefined;
}

/** What a runtime brings. */
export interface Bench {
  load(source: Source, options?: LoadOptions): Promise<Model>;
  source(model: string): Source | Promise<Source>;
  /** Whether ../shared/data is at hand; the synthetic model always is. */
  realModels: boolean;
  builds: readonly Build[];
  threads: readonly number[];
  /** Options of every load, for instance `workerUrl`. */
  options?: LoadOptions;
}

export const SYNTHETIC = 'synthetic.gguf';
const OWN = 'the model of the package';

const greedy = { temperature: 0, hashLogits: true };

const CASES: readonly Case[] = [
  {
    name: 'nonsense, Q8_0, Q4_0 and Q4_K',
    model: SYNTHETIC,
    prompt: 'Größe 🐦 of 2 birds, said in bytes, goes on for longer than the sixty-four tokens of one piece of a prompt.',
    generate: { temperature: 1, topK: 50, seed: 3, maxTokens: 24, hashLogits: true },
  },
  {
    name: 'a story by the model of the package',
    model: OWN,
    prompt: 'Once upon a time',
    generate: { temperature: 0.8, seed: 1, maxTokens: 48, hashLogits: true },
  },
  {
    name: 'greedy, Q8_0',
    model: 'derived/TinyStories-656K/TinyStories-656K-Q8_0.gguf',
    prompt: 'Once upon a time, there was a little girl named Lily. She',
    generate: { ...greedy, maxTokens: 48 },
  },
  {
    name: 'sampled by top-p, F16',
    model: 'derived/TinyStories-656K/TinyStories-656K-F16.gguf',
    prompt: 'Tom had a red ball',
    generate: { temperature: 0.9, topP: 0.9, seed: 7, maxTokens: 32, hashLogits: true },
  },
  {
    name: 'greedy past EOS, Q4_0, q8_0 cache',
    model: 'derived/stories260K/stories260K-Q4_0.gguf',
    prompt: 'One day, a cat',
    load: { kvCache: 'q8_0' },
    generate: { ...greedy, maxTokens: 64, ignoreEos: true },
  },
  {
    name: 'sampled by top-k, min-p, typical and penalties, F32',
    model: 'derived/stories260K/stories260K-F32.gguf',
    prompt: 'The sun was',
    generate: { temperature: 1.1, topK: 40, minP: 0.02, typicalP: 0.95, repetitionPenalty: 1.1, seed: 20261123n, maxTokens: 32, hashLogits: true },
  },
];

export const casesFor = (realModels: boolean): Case[] => CASES.filter(({ model }) => realModels || model === SYNTHETIC || model === OWN);

async function runCase(bench: Bench, { name, model: path, prompt, load, generate }: Case, build: Build, threads: number): Promise<Outcome> {
  const model = await bench.load(path === OWN ? defaultModel() : await bench.source(path), { ...bench.options, ...load, build, threads });
  try {
    const generation = model.generate(prompt, generate);
    const ids: number[] = [];
    for await (const { id } of generation) ids.push(id);
    const { text, logitsHash } = generation.summary;
    return { name, build: model.info.build, threads: model.info.threads, ids, text, logitsHash };
  } finally {
    model.dispose();
  }
}

export async function runCases(bench: Bench): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const build of bench.builds) {
    for (const threads of bench.threads) {
      for (const each of casesFor(bench.realModels)) outcomes.push(await runCase(bench, each, build, threads));
    }
  }
  return outcomes;
}
