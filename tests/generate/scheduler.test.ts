// Generations side by side: each has the bits that it has alone, whatever runs beside it.
import { afterAll, describe, expect, it } from 'vitest';
import type { ModelFile } from '../../src/files/types.js';
import { ModelRuntime } from '../../src/generate/model-runtime.js';
import { createSession } from '../../src/generate/session.js';
import type { GenerateOptions } from '../../src/generate/types.js';
import { nodeHost } from '../../src/host/node.js';
import type { Build } from '../../src/kernels/instance.js';
import { loadRunner } from '../../src/run/load.js';
import { buildsHere } from '../kernels/support.js';
import { tinyModel } from '../models/tiny.js';
import { ordinary } from '../run/support.js';
import { toyEngine, toyRunner, toyTokenizer, turn } from './support.js';

const VOCABULARY = 263;
const file = (): ModelFile => tinyModel({ architecture: 'llama', embedding: 48, layers: 2, heads: 6, kvHeads: 2, feedForward: 88, vocabulary: VOCABULARY, context: 400 });

interface Job {
  readonly prompt: number[];
  readonly options: GenerateOptions;
  /** Tokens after which its reader leaves. */
  readonly leaves: number;
  /** Turns of the event loop before it begins. */
  readonly late: number;
}

/** Mixed lengths, samplers, readers that leave early and that come late. */
const jobs = (count: number): Job[] => Array.from({ length: count }, (_, i): Job => ({
  prompt: Array.from({ length: 1 + ((i * 53) % 150) }, (__, at) => (at * 31 + i * 7) % 256),
  options: { maxTokens: 3 + ((i * 5) % 17), seed: i, ignoreEos: true, hashLogits: true, temperature: i % 3 === 0 ? 0 : 0.9, topK: i % 2 ? 20 : 0, repetitionPenalty: i % 4 === 1 ? 1.2 : 1, top: 0 },
  leaves: i % 5 === 4 ? 2 : Infinity,
  late: (i * 3) % 7,
}));

const open: { dispose(): void }[] = [];
afterAll(() => open.forEach((runner) => runner.dispose()));

async function engineOf(build: Build, threads: number): Promise<ModelRuntime> {
  const { runner, arena } = await loadRunner({ ...nodeHost(), processors: 64 }, file(), { ...ordinary, build, threads });
  open.push(runner);
  return new ModelRuntime({ runner, arena, tokenizer: toyTokenizer(), renderChat: () => Promise.reject(new Error('no template')), yield: turn });
}

async function run(engine: ModelRuntime, { prompt, options, leaves, late }: Job): Promise<string> {
  for (let i = 0; i < late; i++) await turn();
  const session = createSession(engine), ids: number[] = [];
  const generation = session.generate(prompt, options);
  for await (const { id } of generation) if (ids.push(id) >= leaves) break;
  session.dispose();
  return `${ids.join(' ')} ${generation.summary.logitsHash}`;
}

describe.each(buildsHere().flatMap((build) => [1, 2].map((threads) => [build, threads] as const)))('%s build, %i threads', (build, threads) => {
  it('one, two, seven and thirty-two at once say what each says alone', async () => {
    const engine = await engineOf(build, threads);
    const alone: string[] = [];
    for (const job of jobs(32)) alone.push(await run(engine, { ...job, late: 0 }));
    for (const count of [1, 2, 7, 32]) expect(await Promise.all(jobs(count).map((job) => run(engine, job)))).toEqual(alone.slice(0, count));
  });
});

describe('runs of many', () => {
  const greedy = { temperature: 0, ignoreEos: true, top: 0 } as const;
  const texts = async (sessions: readonly ReturnType<typeof createSession>[], options: GenerateOptions) =>
    Promise.all(sessions.map((session, i) => session.generate(`text ${i}`, options).text()));

  it('take the next token of all together', async () => {
    const runner = toyRunner();
    const engine = toyEngine({ runner });
    await texts(Array.from({ length: 8 }, () => createSession(engine)), { ...greedy, maxTokens: 20 });
    const steps = runner.runs.filter((spans) => spans.every(({ ids }) => ids === 1));
    expect(steps.filter((spans) => spans.length === 8).length).toBeGreaterThanOrEqual(12);
    expect(runner.runs.length).toBeLessThan(8 + 25);
  });

  it('do not wait for a reader that does something else', async () => {
    const runner = toyRunner();
    const engine = toyEngine({ runner });
    const slow = createSession(engine).generate('slow', { ...greedy, maxTokens: 20 });
    await slow.next();
    const quick = createSession(engine).generate('quick', { ...greedy, maxTokens: 10 });
    await quick.text();
    await slow.text();
    expect([quick.summary.tokens, slow.summary.tokens]).toEqual([10, 20]);
  });

  it('carry pieces of prompts beside the tokens of others', async () => {
    const runner = toyRunner({ contextLength: 5000 });
    const engine = toyEngine({ runner });
    const long = createSession(engine).generate('x'.repeat(3000), { ...greedy, maxTokens: 1 });
    const reading = long.text();
    await createSession(engine).generate('a', { ...greedy, maxTokens: 40 }).text();
    const beside = runner.runs.filter((spans) => spans.length === 2 && spans.some(({ ids }) => ids === 1) && spans.some(({ ids }) => ids > 1));
    expect(beside.length).toBeGreaterThan(20);
    expect(Math.max(...runner.runs.map((spans) => spans.reduce((sum, { ids }) => sum + ids, 0)))).toBeLessThanOrEqual(64);
    await reading;
  });

  it('end for one by its signal, for the others not at all', async () => {
    const engine = toyEngine({ contextLength: 5000 });
    const controller = new AbortController();
    const long = createSession(engine).generate('x'.repeat(3000), { ...greedy, maxTokens: 1, signal: controller.signal }).text();
    const other = createSession(engine).generate('a', { ...greedy, maxTokens: 40 });
    await other.next();
    controller.abort(new Error('enough'));
    await expect(long).rejects.toMatchObject({ code: 'aborted' });
    await other.text();
    expect(other.summary.tokens).toBe(40);
  });

  it('fail for the one that has no memory left; sessions at rest give theirs first, the oldest before the others', async () => {
    const { runner, arena, plan: { pageBytes } } = await loadRunner(nodeHost(), file(), ordinary);
    let taken = 6;
    open.push(runner);
    const engine = new ModelRuntime({ runner, arena, tokenizer: toyTokenizer(), renderChat: () => Promise.reject(new Error('no template')), yield: turn });
    const sessions = Array.from({ length: 4 }, () => createSession(engine));
    const say = (session: (typeof sessions)[number]) => session.generate(Array.from({ length: 100 }, (_, i) => i), { ...greedy, maxTokens: 2 });
    for (const session of sessions.slice(0, 3)) await say(session).text();
    // Three sessions hold two pages each; there is no seventh.
    const { allocate, release } = arena;
    arena.allocate = function (bytes, what) {
      if (what !== 'the KV cache of a session') return allocate.call(this, bytes, what);
      if (taken >= 6) throw new Error('no memory');
      taken++;
      return allocate.call(this, bytes, what);
    };
    arena.release = function (address, bytes) {
      if (bytes === pageBytes) taken--;
      release.call(this, address, bytes);
    };
    await say(sessions[3]!).text();
    const reused = async (session: (typeof sessions)[number]): Promise<number> => {
      const generation = say(session);
      await generation.text();
      return generation.summary.reusedTokens;
    };
    expect(await reused(sessions[2]!)).toBeGreaterThan(90);
    expect(await reused(sessions[0]!)).toBe(0);
  });
});

