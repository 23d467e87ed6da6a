// Any options and prompts end in tokens or in one StonechatError, never in a raw error, an endless wait or a NaN.
// STONECHAT_FUZZ=20000 for the long run.
import { describe, expect, test } from 'vitest';
import { StonechatError } from '../../src/errors.js';
import { createModel } from '../../src/generate/model.js';
import { createStonechat } from '../../src/entry/load.js';
import { nodeHost } from '../../src/host/node.js';
import type { ModelInfo, Token } from '../../src/generate/types.js';
import { judgeContinuations } from '../../src/judge/index.js';
import { random } from '../files/support/random.js';
import { BOS, EOT, toyParts, VOCABULARY } from './support.js';

const ROUNDS = Number(process.env['STONECHAT_FUZZ'] ?? 400);
const TIME = 60_000 + ROUNDS * 50;

/** What callers pass by mistake, and what lies at the edge. */
const ODD: readonly unknown[] = [
  undefined, null, NaN, Infinity, -Infinity, -1, 0, -0, 1, 0.5, 1e-5, 1e-4, 1e39, 3e38, -3e38, 2 ** 31, 2 ** 53, 1n, -1n, 2n ** 64n, '', 'x', 'é😀', '<|eot|>', '\ud800', true, false, [], [1], [-1], [VOCABULARY],
  ['a', ''], [null], {}, { 5: 1 }, { 5: NaN }, { x: 1 }, new Map([[5, -Infinity]]), new Map([['a', 1]]), () => {}, Symbol('s'), new Date(0), new Uint8Array(3), new Float32Array([1.5]), AbortSignal.abort('why'), new AbortController().signal, Object.create(null),
];
const GENERATE = [
  'maxTokens', 'temperature', 'topK', 'topP', 'minP', 'typicalP', 'repetitionPenalty', 'presencePenalty', 'frequencyPenalty', 'penaltyWindow', 'logitBias', 'samplers', 'seed', 'stop', 'stopIds', 'ignoreEos',
  'reusePrefix', 'overflow', 'top', 'hashLogits', 'addSpecial', 'parseSpecial', 'signal', 'onProgress', 'unknown', 'toString', '__proto__',
];
const SCORE = ['top', 'signal', 'addSpecial', 'parseSpecial', 'onProgress', 'continuation', 'addGenerationPrompt', 'temperature'];
const LOAD = ['threads', 'build', 'contextLength', 'kvCache', 'activations', 'lora', 'tokenizer', 'chatTemplate', 'signal', 'onProgress', 'headers', 'kernels', 'workerUrl', 'timeout', 'thread'];
const RIGHT: Readonly<Record<string, readonly unknown[]>> = {
  maxTokens: [0, 1, 5], temperature: [0, 1e-4, 0.7, 100], topP: [0, 0.3, 1], seed: [0, 2n ** 64n - 1n], stop: ['a', ['<|eot|>', 'b']], overflow: ['slide', 'error'], top: [0, 3], logitBias: [{ 65: 3e38 }, { 66: -Infinity }],
  repetitionPenalty: [0.01, 1.3, 100], continuation: ['abc', [1, 2]], hashLogits: [true], ignoreEos: [true], build: ['simd', 'scalar'], contextLength: [1, 64], kvCache: ['f16', 'q8_0', 'q4_0'], threads: [1, 2],
};
const PROMPTS: readonly unknown[] = [
  'abc', '', 'é', 'x'.repeat(100), [BOS], [1, 2, 3], Int32Array.of(5, 6), [{ role: 'user', content: 'hi' }], [{ role: 'system', content: 's' }, { role: 'user', content: 'y'.repeat(60) }, { role: 'assistant', content: '' }, { role: 'user', content: 'z' }],
  [{ role: 'user', content: 5 }], [EOT, 'a'], [{}], [null], new Map(), new Set([1]), new Array(3), [1n], [[1]], new BigInt64Array(2), ...ODD,
];

type Source = ReturnType<typeof random>;

function optionsOf(names: readonly string[], source: Source): object {
  const options: Record<string, unknown> = {};
  for (let i = source.next(5); i > 0; i--) {
    const name = source.pick(names);
    const right = RIGHT[name];
    const value = right && source.next(3) > 0 ? source.pick(right) : source.pick(ODD);
    Object.defineProperty(options, name, { value, enumerable: true, configurable: true });
  }
  return options;
}

/** The tokens, or why there are none. Samplers of the caller are the caller's: what those throw is not ours. */
async function outcome(work: () => Promise<Token[]>): Promise<'ran' | 'refused'> {
  try {
    for (const { logprob, entropy, text } of await work()) {
      expect(logprob).toBeLessThanOrEqual(1e-6);
      expect(Number.isNaN(logprob) || Number.isNaN(entropy) || typeof text !== 'string').toBe(false);
    }
    return 'ran';
  } catch (error) {
    if (error instanceof StonechatError && error.expected && error.found && error.remedy) return 'refused';
    throw error;
  }
}

const list = async (tokens: AsyncIterable<Token>): Promise<Token[]> => {
  const all: Token[] = [];
  for await (const token of tokens) if (all.push(token) >= 60) break;
  return all;
};

async function rounds(name: string, each: (source: Source) => Promise<Token[]>): Promise<void> {
  const outcomes = { ran: 0, refused: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const found = await outcome(() => each(random(round + 1))).catch((cause: unknown) => {
      throw new Error(`${name}, round ${round}: ${String(cause)}`, { cause });
    });
    outcomes[found]++;
  }
  expect(Math.min(outcomes.ran, outcomes.refused), JSON.stringify(outcomes)).toBeGreaterThan(ROUNDS / 20);
}

describe(`${ROUNDS} calls with any options`, () => {
  const model = createModel(toyParts({ contextLength: 64, maxBatch: 8 }), {} as ModelInfo);

  test('of generate', { timeout: TIME }, () =>
    rounds('generate', async (source) => {
      const prompt = source.next(3) ? PROMPTS[source.next(9)] : source.pick(PROMPTS);
      return list(model.generate(prompt as string, optionsOf(GENERATE, source)));
    }));

  test('of score and logits', { timeout: TIME }, () =>
    rounds('score', async (source) => {
      const prompt = (source.next(3) ? PROMPTS[source.next(9)] : source.pick(PROMPTS)) as string;
      const options = optionsOf(SCORE, source);
      if (source.next(4) > 0) return list(model.score(prompt, options));
      expect((await model.logits(prompt, options)).every(Number.isFinite)).toBe(true);
      return [];
    }));

  test('of judgeContinuations', { timeout: TIME }, () =>
    rounds('judgeContinuations', async (source) => {
      const continuations = source.next(3) ? ['a', [1, 2], 'é'].slice(0, 1 + source.next(3)) : source.pick(ODD);
      return (await judgeContinuations(model, source.pick(PROMPTS.slice(0, 20)) as string, continuations as string[])).flatMap(({ tokens }) => tokens);
    }));

  test('of load, and a generation', { timeout: TIME }, async () => {
    const { load } = createStonechat(nodeHost());
    const { readFileSync } = await import('node:fs');
    const bytes = new Uint8Array(readFileSync('models/default.gguf'));
    for (let round = 0; round < ROUNDS / 8; round++) {
      const source = random(round + 77);
      const options = optionsOf(LOAD, source);
      await outcome(async () => {
        using loaded = await load(bytes, options);
        return list(loaded.generate('Once', { maxTokens: 1 }));
      }).catch((cause: unknown) => {
        throw new Error(`load, round ${round}, ${Object.keys(options).join()}: ${String(cause)}`, { cause });
      });
    }
  });
});
