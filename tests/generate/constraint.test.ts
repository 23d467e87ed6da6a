import { describe, expect, test } from 'vitest';
import type { StonechatError } from '../../src/errors.js';
import { createSession } from '../../src/generate/session.js';
import type { GenerateOptions, Token } from '../../src/generate/types.js';
import { mirostat } from '../../src/entry/samplers.js';
import { buildSampler, type Constraint } from '../../src/sample/index.js';
import { Mask } from '../../src/sample/constraint.js';
import { Xorshift64Star } from '../../src/sample/random.js';
import { random } from '../kernels/support.js';
import { Desk, historyOf, NEUTRAL, NO_HISTORY } from '../sample/support.js';
import { collect, EOS, toyEngine, toyLogits, VOCABULARY } from './support.js';

const bytes = (text: string): number[] => [...new TextEncoder().encode(text)];
const allow = (out: Uint32Array, ids: Iterable<number>): number => {
  let count = 0;
  for (const id of new Set(ids)) {
    out[id >>> 5]! |= 1 << (id & 31);
    count++;
  }
  return count;
};

/** Always the same ids; done after `length` of them. */
function among(ids: readonly number[], length = Infinity, taken: number[] = []): Constraint & { taken: number[] } {
  return {
    taken,
    mask: (out) => allow(out, ids),
    accept: (id) => ids.includes(id) && taken.push(id) > 0,
    get done() {
      return taken.length >= length;
    },
    fork: () => among(ids, length, [...taken]),
  };
}

/** One of several sequences of ids. */
function oneOf(sequences: readonly (readonly number[])[], at = 0): Constraint {
  let left = sequences;
  return {
    mask: (out) => allow(out, left.map((ids) => ids[at]!)),
    accept: (id) => {
      left = left.filter((ids) => ids[at] === id);
      at++;
      return left.length > 0;
    },
    get done() {
      return left.some((ids) => ids.length === at);
    },
    fork: () => oneOf(left, at),
  };
}

const DIGITS = bytes('0123456789');
const generate = (prompt: string, options: GenerateOptions, session = createSession(toyEngine())) => session.generate(prompt, { temperature: 1, seed: 1, maxTokens: 20, ...options });
const textOf = async (prompt: string, options: GenerateOptions) => generate(prompt, options).text();

describe('a constraint', () => {
  test('allows some tokens only, by chance and greedily, with every sampler', async () => {
    const kinds: GenerateOptions[] = [
      {}, { temperature: 0 }, { topK: 3 }, { topP: 0.5 }, { typicalP: 0.5, minP: 0.1 }, { frequencyPenalty: 2, logitBias: { 65: 50, 50: 3 } },
      { samplers: [(c) => c.select(4)], topK: 2 }, { mirostat: 2, mirostatTau: 1 }, { dryMultiplier: 1, xtcProbability: 0.5 }, { samplers: [mirostat()] },
    ];
    for (const options of kinds) expect(await textOf('count', { ...options, constraint: among(DIGITS) }), JSON.stringify(options)).toMatch(/^\d{20}$/);
  });

  test('that is done ends the answer, and says so', async () => {
    const choices = ['yes', 'no', 'maybe'].map(bytes);
    const seen = new Set<string>();
    for (let seed = 0; seed < 30; seed++) {
      const generation = generate('well?', { seed, constraint: oneOf(choices) });
      const tokens = await collect(generation);
      expect(tokens.at(-1)!.finish).toBe('constraint');
      expect(generation.summary.finish).toBe('constraint');
      seen.add(generation.summary.text);
    }
    expect([...seen].sort()).toEqual(['maybe', 'no', 'yes']);
  });

  test('done at the last token that may come is done, not cut', async () => {
    const generation = generate('x', { maxTokens: 3, constraint: among(DIGITS, 3) });
    expect(await generation.text()).toMatch(/^\d{3}$/);
    expect(generation.summary.finish).toBe('constraint');
    const cut = generate('x', { maxTokens: 2, constraint: among(DIGITS, 3) });
    expect(await cut.text()).toMatch(/^\d{2}$/);
    expect(cut.summary.finish).toBe('length');
  });

  test('done from the start: nothing is written, the prompt is read', async () => {
    const session = createSession(toyEngine());
    const generation = generate('prompt', { constraint: among(DIGITS, 0) }, session);
    expect(await collect(generation)).toEqual([]);
    expect(generation.summary).toMatchObject({ finish: 'constraint', tokens: 0, text: '' });
    const next = generate('prompt', { maxTokens: 1 }, session);
    await next.text();
    expect(next.summary.reusedTokens).toBeGreaterThan(0);
  });

  test('stop strings, stop ids and end tokens end as ever', async () => {
    const ended = generate('x', { constraint: among([EOS, ...DIGITS]), logitBias: { [EOS]: 90 } });
    expect(await ended.text()).toBe('');
    expect(ended.summary.finish).toBe('eos');
    const stopped = generate('x', { constraint: among(bytes('a')), stop: 'aaa' });
    expect(await stopped.text()).toBe('');
    expect(stopped.summary.finish).toBe('stop');
    const both = generate('x', { constraint: among(bytes('a'), 3), stop: 'aaa' });
    await both.text();
    expect(both.summary.finish).toBe('stop');
    const held = generate('x', { constraint: among(bytes('a'), 2), stop: 'aaa' });
    expect(await held.text(), 'what was held back for a stop string comes out').toBe('aa');
  });

  test('is told what was chosen; the one given stays as it was, so that it can be used again and by many', async () => {
    const constraint = oneOf([bytes('tick'), bytes('tack')]);
    const session = createSession(toyEngine());
    const alone = await Promise.all([1, 2, 3].map((seed) => textOf('clock', { seed, constraint })));
    const together = await Promise.all([1, 2, 3].map((seed) => generate('clock', { seed, constraint }, session).text()));
    expect(together).toEqual(alone);
    const given = among(DIGITS);
    await generate('x', { constraint: given }).text();
    expect(given.taken).toEqual([]);
  });

  test('probabilities stay those of the model, and say what was allowed', async () => {
    const tokens: Token[] = await collect(generate('odds', { constraint: among(DIGITS), top: 8 }));
    const free = await collect(generate('odds', { maxTokens: 1, top: 8 }));
    const logits = toyLogits([256, ...bytes('odds')]);
    const total = logits.reduce((sum, x) => sum + Math.exp(x), 0);
    const share = DIGITS.reduce((sum, id) => sum + Math.exp(logits[id]!), 0) / total;
    const [first] = tokens;
    expect(first!.allowed).toBeCloseTo(share, 6);
    expect(first!.logprob).toBeCloseTo(Math.log(Math.exp(logits[first!.id]!) / total), 5);
    expect(first!.entropy).toBe(free[0]!.entropy);
    expect(first!.top.map(({ id, logprob }) => [id, logprob])).toEqual(free[0]!.top.map(({ id, logprob }) => [id, logprob]));
    expect(first!.top.every(({ id, allowed }) => allowed === DIGITS.includes(id))).toBe(true);
    expect(free[0]).not.toHaveProperty('allowed');
    expect(free[0]!.top[0]).not.toHaveProperty('allowed');
  });

  test('hashes are of the logits of the model; the same text on a session that was used', async () => {
    const options = { hashLogits: true, constraint: among(DIGITS) };
    const session = createSession(toyEngine());
    await generate('before', {}, session).text();
    const again = generate('hash', options, session);
    const fresh = generate('hash', options);
    expect(await again.text()).toBe(await fresh.text());
    expect(again.summary.logitsHash).toBe(fresh.summary.logitsHash);
  });

  test('of all ids changes nothing', async () => {
    const all = among(Array.from({ length: VOCABULARY }, (_, id) => id));
    for (const options of [{}, { temperature: 0 }, { topP: 0.8, frequencyPenalty: 1 }]) {
      expect(await textOf('free', { ...options, constraint: all })).toBe(await textOf('free', options));
    }
  });

  test('works where the context slides', async () => {
    const session = createSession(toyEngine({ contextLength: 16 }));
    const generation = generate('slide', { overflow: 'slide', maxTokens: 60, constraint: among(DIGITS) }, session);
    expect(await generation.text()).toMatch(/^\d{60}$/);
  });
});

describe('score', () => {
  test('tells what was allowed, from the continuation on', async () => {
    const session = createSession(toyEngine());
    const judged = await collect(session.score('n = ', { continuation: '42', constraint: among(DIGITS, 2) }) as never);
    expect(judged).toHaveLength(2);
    const logits = toyLogits([256, ...bytes('n = ')]);
    const total = logits.reduce((sum, x) => sum + Math.exp(x), 0);
    expect(judged[0]!.allowed).toBeCloseTo(DIGITS.reduce((sum, id) => sum + Math.exp(logits[id]!), 0) / total, 6);
    const plain = await collect(session.score('n = ', { continuation: '42' }) as never);
    expect(judged.map(({ logprob }) => logprob)).toEqual(plain.map(({ logprob }) => logprob));
  });

  test.each([['4x', 'a text that the constraint allows'], ['123', 'a text that ends where the constraint is done']])('refuses %s', async (continuation, words) => {
    const session = createSession(toyEngine());
    await expect(collect(session.score('n = ', { continuation, constraint: among(DIGITS, 2) }) as never)).rejects.toThrow(words);
  });
});

describe('one that misbehaves', () => {
  const refusal = async (constraint: unknown): Promise<StonechatError> => {
    const session = createSession(toyEngine());
    try {
      await generate('x', { constraint: constraint as Constraint }, session).text();
    } catch (error) {
      expect(await generate('x', { maxTokens: 5 }, session).text(), 'the session can be used further').toBe(await textOf('x', { maxTokens: 5 }));
      return error as StonechatError;
    }
    throw new Error('was not refused');
  };
  const like = (wrong: object): Constraint => {
    const one: Constraint = { mask: (out) => allow(out, DIGITS), accept: () => true, done: false, fork: () => one, ...wrong };
    return one;
  };

  test.each<[string, unknown, string]>([
    ['that is none', {}, 'an object with mask(), accept(), fork() and done'],
    ['a function', () => true, 'an object with mask(), accept(), fork() and done'],
    ['done of no boolean', like({ done: 0 }), 'an object with mask(), accept(), fork() and done'],
    ['that allows nothing', like({ mask: () => 0 }), 'allows at least one token'],
    ['that allows nothing but ids beyond the vocabulary', like({ mask: (out: Uint32Array) => allow(out, [out.length * 32 - 1]) - 1 }), 'allows at least one token'],
    ['that counts wrong', like({ mask: (out: Uint32Array) => allow(out, DIGITS) + 1 }), 'return how many ids it allows: 10'],
    ['that counts nothing', like({ mask: (out: Uint32Array) => void allow(out, DIGITS) }), 'return how many ids it allows: 10'],
    ['that refuses what it allowed', like({ accept: () => false }), 'accept() to return true'],
    ['that forgets to say', like({ accept: () => {} }), 'accept() to return true'],
    ['whose fork is none', like({ fork: () => undefined }), 'fork() to return a constraint'],
    ['whose fork is another thing', like({ fork: () => ({ mask() {} }) }), 'fork() to return a constraint'],
  ])('%s', async (_, constraint, words) => {
    const error = await refusal(constraint);
    expect(error.code).toBe('bad-option');
    expect(error.message).toContain(words);
  });

  test('its own errors come through', async () => {
    const failing = like({ mask: () => { throw new Error('mine'); } });
    await expect(generate('x', { constraint: failing }).text()).rejects.toThrow('mine');
  });

  test('one that keeps and later writes into the mask changes nothing', async () => {
    let kept: Uint32Array | undefined;
    const meddling = like({ mask: (out: Uint32Array) => allow((kept = out), DIGITS), accept: () => Boolean(kept!.fill(0)) });
    expect(await textOf('x', { constraint: meddling })).toMatch(/^\d{20}$/);
  });
});

describe('the mask', () => {
  test('of every size keeps just the ids of its bits, in order', () => {
    const next = random(3);
    for (const size of [1, 31, 32, 33, 64, 100, 1000]) {
      const desk = new Desk(size);
      for (const share of [0, 0.02, 0.5, 1]) {
        const bits = new Uint32Array(Math.ceil(size / 32)).fill(0);
        const ids = Array.from({ length: size }, (_, id) => id).filter(() => next() < share);
        allow(bits, ids);
        const logits = Array.from({ length: size }, (_, id) => id / 7);
        const candidates = desk.with(logits);
        expect(candidates.allow(bits)).toBe(ids.length);
        expect(Array.from(candidates.ids.subarray(0, candidates.size))).toEqual(ids);
        expect(Array.from(candidates.logits.subarray(0, candidates.size))).toEqual(ids.map((id) => Math.fround(id / 7)));
        for (let id = 0; id < size; id++) expect(candidates.find(id)).toBe(ids.indexOf(id));
        candidates.fill(desk.address);
        expect(Array.from(candidates.ids)).toEqual(Array.from({ length: size }, (_, id) => id));
      }
    }
  });

  test('penalties find what is left', () => {
    const desk = new Desk(100).set(new Array<number>(100).fill(0));
    const mask = new Mask(among([5, 50, 99]), 100);
    const pick = buildSampler({ ...NEUTRAL, temperature: 0, presencePenalty: 1 }, desk.candidates, new Xorshift64Star(1n), undefined, mask.sampler);
    expect(pick(desk.address, NO_HISTORY)).toBe(5);
    expect(pick(desk.address, historyOf([5, 7]))).toBe(50);
    expect(pick(desk.address, historyOf([5, 50]))).toBe(99);
  });
});
