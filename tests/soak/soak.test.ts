// Long days: thousands of generations on a few sessions, hundreds of loads, dozens of killed workers; the bits stay the same.
// STONECHAT_SOAK=1 runs 3,000 generations on 8 sessions, 300 loads, 60 kills; else a small form of the same.
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultModel } from 'stonechat/default-model';
import { load, type Model, type Session, StonechatError } from '../../src/entry/node.js';
import type { GenerateOptions, Token } from '../../src/generate/types.js';
import { random } from '../files/support/random.js';

const LONG = process.env['STONECHAT_SOAK'] === '1';
const [GENERATIONS, SESSIONS, LOADS, KILLS] = LONG ? [3000, 8, 300, 60] : [60, 3, 4, 2];
const HOURS = { timeout: LONG ? 4 * 3600_000 : 120_000 };

const PROMPTS = ['Once upon a time', 'The owl', 'Once upon a time there was a bird. It', 'Lily and Tom went to the park.', ''];
const CHAT = [{ role: 'user', content: 'Tell me of an owl.' }];
const OPTIONS: readonly GenerateOptions[] = [
  { temperature: 0 }, { seed: 1 }, { seed: 2, topP: 0.9, repetitionPenalty: 1.2 }, { seed: 3, minP: 0.1, overflow: 'slide', maxTokens: 60 },
];
type Case = { readonly prompt: string | typeof CHAT; readonly options: GenerateOptions };
const CASES: readonly Case[] = [...PROMPTS, CHAT].flatMap((prompt) => OPTIONS.map((options) => ({ prompt, options: { maxTokens: 24, ignoreEos: true, hashLogits: true, ...options } })));

/** What a case gives: text and the bits of all logits. */
type Bits = { readonly text: string; readonly hash: string | undefined };
async function bitsOf(session: Session, { prompt, options }: Case): Promise<Bits> {
  const generation = session.generate(prompt, options);
  return { text: await generation.text(), hash: generation.summary.logitsHash };
}

const loadIt = (threads: number): Promise<Model> => load(defaultModel(), { chatTemplate: 'chatml', contextLength: 128, threads });

let wanted: Bits[];
beforeAll(async () => {
  using model = await loadIt(1);
  wanted = [];
  for (const one of CASES) {
    using session = model.createSession();
    wanted.push(await bitsOf(session, one));
  }
}, HOURS.timeout);

/** Every worker that was spoken to. */
const workers = new Set<Worker>();
const { postMessage } = Worker.prototype;
beforeAll(() => {
  Worker.prototype.postMessage = function (...list: Parameters<Worker['postMessage']>) {
    workers.add(this);
    return postMessage.apply(this, list);
  };
});
afterAll(() => void (Worker.prototype.postMessage = postMessage));

/** One thing that a session may be asked for; what is whole is compared. */
async function visit(session: Session, source: ReturnType<typeof random>): Promise<void> {
  const at = source.next(CASES.length);
  const { prompt, options } = CASES[at]!;
  const way = source.next(6);
  if (way === 0) return abandon(session, CASES[at]!, source.next(10));
  if (way === 1) return abort(session, CASES[at]!, source.next(10));
  if (way === 2) return judge(session, prompt);
  if (way === 3) {
    const generation = session.generate(prompt, options);
    expect(await new Response(generation.toReadableStream()).text()).toBe(wanted[at]!.text);
    return expect(generation.summary.logitsHash).toBe(wanted[at]!.hash);
  }
  expect(await bitsOf(session, CASES[at]!)).toEqual(wanted[at]);
}

async function abandon(session: Session, { prompt, options }: Case, after: number): Promise<void> {
  let seen = 0;
  for await (const _ of session.generate(prompt, options)) if (seen++ >= after) break;
}

async function abort(session: Session, { prompt, options }: Case, after: number): Promise<void> {
  const controller = new AbortController();
  let seen = 0;
  const work = (async () => {
    for await (const _ of session.generate(prompt, { ...options, signal: controller.signal })) if (seen++ >= after) controller.abort();
  })();
  await expect(work).rejects.toMatchObject({ code: 'aborted' });
}

async function judge(session: Session, prompt: Case['prompt']): Promise<void> {
  const tokens: Token[] = [];
  for await (const token of session.score(prompt, { continuation: ' and then it rained', top: 1 })) tokens.push(token);
  expect(tokens.map(({ text }) => text).join('')).toContain('rained');
  expect(tokens.every(({ logprob }) => Number.isFinite(logprob))).toBe(true);
}

describe('the same bits', () => {
  it(`through ${GENERATIONS} visits to ${SESSIONS} sessions side by side`, HOURS, async () => {
    using model = await loadIt(LONG ? 2 : 1);
    const visitors = Array.from({ length: SESSIONS }, async (_, i) => {
      const source = random(1000 + i);
      let session = i === 0 ? model : model.createSession();
      for (let round = 0; round < GENERATIONS / SESSIONS; round++) {
        await visit(session, source);
        if (i > 0 && source.next(20) === 0) {
          session.dispose();
          session = model.createSession();
        }
      }
    });
    await Promise.all(visitors);
  });

  it(`through ${LOADS} loads, on any number of threads`, HOURS, async () => {
    for (let round = 0; round < LOADS; round++) {
      using model = await loadIt(1 + (round % 3));
      const at = (round * 7) % CASES.length;
      expect(await bitsOf(model, CASES[at]!)).toEqual(wanted[at]);
    }
    expect(process.memoryUsage().rss).toBeLessThan(4 * 2 ** 30);
  });

  it(`after ${KILLS} workers were killed`, HOURS, async () => {
    const source = random(9);
    for (let round = 0; round < KILLS; round++) {
      workers.clear();
      using model = await loadIt(2 + source.next(2));
      const [victim] = workers;
      const at = source.next(CASES.length);
      const { prompt, options } = CASES[at]!;
      const work = (async () => {
        let seen = 0;
        const after = source.next(8);
        for await (const _ of model.generate(prompt, { ...options, maxTokens: 60 })) if (seen++ === after) await victim!.terminate();
      })();
      const error = await work.then(() => undefined, (thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(StonechatError);
      expect(error).toMatchObject({ code: 'worker-failed' });
      using again = await loadIt(2);
      expect(await bitsOf(again, CASES[at]!)).toEqual(wanted[at]);
    }
  });
});
