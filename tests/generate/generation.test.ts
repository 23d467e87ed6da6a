import { describe, expect, test } from 'vitest';
import type { StonechatError } from '../../src/errors.js';
import { createSession } from '../../src/generate/session.js';
import type { GenerateOptions, PrefillProgress } from '../../src/generate/types.js';
import { softmax } from '../sample/reference.js';
import { BOS, collect, EOS, EOT, idsOf, script, spell, textOf, toyEngine, toyLogits, toyParts, toyRunner, toyTokenizer, VOCABULARY, word } from './support.js';

const GREEDY: GenerateOptions = { temperature: 0 };
const failing = async (promise: Promise<unknown>): Promise<StonechatError> =>
  promise.then(
    () => {
      throw new Error('expected an error');
    },
    (error) => error as StonechatError,
  );

/** What the toy model says greedily, worked out without any of the machinery. */
function plainGreedy(prompt: readonly number[], count: number): number[] {
  const ids = [...prompt];
  for (let i = 0; i < count; i++) {
    const logits = toyLogits(ids);
    ids.push(logits.indexOf(Math.max(...logits)));
  }
  return ids.slice(prompt.length);
}

describe('prompt', () => {
  test('text gets BOS, ids are taken as they are, chat goes through the template', async () => {
    const { runner, ...parts } = toyParts();
    const session = createSession(toyEngine({ runner: Object.assign(runner, { parts: { runner, arena: parts.arena } }) }));
    await collect(session.generate('hi', { maxTokens: 1, reusePrefix: false }));
    await collect(session.generate(spell('hi'), { maxTokens: 1, reusePrefix: false }));
    await collect(session.generate(Int32Array.from(spell('hi')), { maxTokens: 1, reusePrefix: false }));
    await collect(session.generate([{ role: 'user', content: 'hi' }], { maxTokens: 1, reusePrefix: false }));
    await collect(session.generate('<s>', { maxTokens: 1, reusePrefix: false }));
    await collect(session.generate('<s>', { maxTokens: 1, reusePrefix: false, parseSpecial: true, addSpecial: false }));
    expect(runner.evaluations.map(({ ids }) => ids)).toEqual([
      [BOS, ...spell('hi')],
      spell('hi'),
      spell('hi'),
      [BOS, ...spell('user:hi'), EOT],
      [BOS, ...spell('<s>')],
      [BOS],
    ]);
  });

  test('an empty text starts from BOS, else EOS, else is refused', async () => {
    const bare = { encode: () => new Int32Array(0) };
    const first = async (tokenizer: ReturnType<typeof toyTokenizer>) => {
      const runner = toyRunner();
      await collect(createSession(toyEngine({ runner, tokenizer })).generate('', { maxTokens: 1 }));
      return runner.evaluations[0]!.ids;
    };
    expect(await first(toyTokenizer(bare))).toEqual([BOS]);
    expect(await first(toyTokenizer({ ...bare, bos: undefined }))).toEqual([EOS]);
    expect((await failing(first(toyTokenizer({ ...bare, bos: undefined, eos: undefined })))).code).toBe('bad-option');
  });

  test.each([
    ['undefined', undefined, 'a prompt: a text'], ['a number', 5, 'found 5'], ['an object', {}, 'a prompt: a text'], ['an empty list', [], 'at least one token'],
    ['a negative id', [1, -1], '-1 at position 1'], ['a broken id', [1.5], '1.5 at position 0'], ['an id too large', Int32Array.of(VOCABULARY), `token ids from 0 to ${VOCABULARY - 1}`],
    ['texts', ['a'], '"a" at position 0'], ['half a message', [{ role: 'user' }], '`role` and a `content`'], ['null in a chat', [{ role: 'a', content: '' }, null], 'null at position 1'],
    ['a DataView', new DataView(new ArrayBuffer(8)), 'a prompt: a text'],
  ])('%s is refused at the door', (_, prompt, message) => {
    expect(() => createSession(toyEngine()).generate(prompt as string)).toThrow(expect.objectContaining({ code: 'bad-option', message: expect.stringContaining(message) }));
  });
});

describe('tokens', () => {
  test('greedy follows the largest logit; log-probability, entropy and alternatives are the model\'s own', async () => {
    const session = createSession(toyEngine());
    const generation = session.generate('abc', { ...GREEDY, maxTokens: 20, top: 3, repetitionPenalty: 1 });
    const tokens = await collect(generation);
    const prompt = [BOS, ...spell('abc')];
    expect(idsOf(tokens)).toEqual(plainGreedy(prompt, 20));
    tokens.forEach((token, i) => {
      const logits = Array.from(toyLogits([...prompt, ...idsOf(tokens).slice(0, i)]));
      const probabilities = softmax(logits);
      expect(token.logprob).toBeCloseTo(Math.log(probabilities[token.id]!), 4);
      expect(token.entropy).toBeCloseTo(-probabilities.reduce((sum, p) => sum + (p > 0 ? p * Math.log(p) : 0), 0), 4);
      expect(token.top).toHaveLength(3);
      expect(token.top[0]).toMatchObject({ id: token.id, logprob: token.logprob });
      expect(token.finish).toBe(i === 19 ? 'length' : undefined);
    });
    expect(generation.summary).toMatchObject({ finish: 'length', promptTokens: 4, reusedTokens: 0, tokens: 20, text: textOf(tokens), logitsHash: undefined });
  });

  test('temperature does not touch what is reported', async () => {
    const [token] = await collect(createSession(toyEngine()).generate('abc', { temperature: 3, topK: 50, seed: 5, maxTokens: 1 }));
    expect(token!.logprob).toBeCloseTo(Math.log(softmax(Array.from(toyLogits([BOS, ...spell('abc')])))[token!.id]!), 4);
  });

  test('the same seed, the same ids; the seed is reported', async () => {
    const run = (options: GenerateOptions) => createSession(toyEngine()).generate('abc', { maxTokens: 30, ...options });
    const [first, second, other] = [run({ seed: 7 }), run({ seed: 7n }), run({ seed: 8 })];
    const ids = idsOf(await collect(first));
    expect(idsOf(await collect(second))).toEqual(ids);
    expect(idsOf(await collect(other))).not.toEqual(ids);
    const unseeded = run({});
    const drawn = idsOf(await collect(unseeded));
    expect(idsOf(await collect(run({ seed: unseeded.summary.seed })))).toEqual(drawn);
  });

  test('penalties see prompt and answer', async () => {
    const loop = script(0, []);
    const next = (ids: readonly number[]) => (ids.length >= 0 ? spell('x')[0] : loop(ids));
    const options = { ...GREEDY, maxTokens: 5, frequencyPenalty: 100 };
    expect(idsOf(await collect(createSession(toyEngine({ next })).generate('abc', options)))[0]).toBe(spell('x')[0]);
    expect(idsOf(await collect(createSession(toyEngine({ next })).generate('abx', options)))).not.toContain(spell('x')[0]);
  });

  test("the caller's own samplers", async () => {
    const only = { samplers: [(c: { ids: Int32Array; size: number; truncate(count: number): void }) => ((c.ids[0] = 65), c.truncate(1))] };
    expect(textOf(await collect(createSession(toyEngine()).generate('abc', { ...only, maxTokens: 3 })))).toBe('AAA');
  });

  test('characters come whole', async () => {
    const said = spell('né€😀é').slice(0, -1);
    const tokens = await collect(createSession(toyEngine({ next: script(2, said) })).generate('a', { ...GREEDY, maxTokens: said.length }));
    expect(tokens.map(({ text }) => text)).toEqual(['n', '', 'é', '', '', '€', '', '', '', '😀', '\ufffd']);
    expect(tokens[1]!.top[0]!.text).toBe('\ufffd');
  });

  test('ids that the tokenizer lacks have no text', async () => {
    const tokenizer = toyTokenizer({ size: VOCABULARY - 1 });
    const [first, last, next] = [word('hello'), VOCABULARY - 1, word(' END')];
    const session = createSession(toyEngine({ tokenizer, next: script(2, [first, last, next]) }));
    const tokens = await collect(session.generate([BOS, last], { ...GREEDY, maxTokens: 3, top: VOCABULARY }));
    expect(tokens.map(({ text }) => text)).toEqual(['hello', '', ' END']);
    expect(tokens[1]!.top[0]).toMatchObject({ id: last, text: '' });
  });

  test('the hash covers the bits of all logits', async () => {
    const run = async (text: string) => {
      const generation = createSession(toyEngine()).generate(text, { ...GREEDY, maxTokens: 4, hashLogits: true });
      await collect(generation);
      return generation.summary.logitsHash;
    };
    const ids = [BOS, ...spell('ab')];
    let hash = 0xcbf29ce484222325n;
    for (let i = 0; i < 4; i++) {
      const logits = toyLogits(ids);
      for (const bits of new Uint32Array(logits.buffer)) hash = ((hash ^ BigInt(bits)) * 0x100000001b3n) & ((1n << 64n) - 1n);
      ids.push(logits.indexOf(Math.max(...logits)));
    }
    expect(await run('ab')).toBe(hash.toString(16).padStart(16, '0'));
    expect(await run('ac')).not.toBe(await run('ab'));
  });

  test('logits that are no numbers are an error, not a text', async () => {
    const runner = toyRunner();
    const { run } = runner;
    runner.run = function (...args) {
      run.apply(this, args);
      runner.logits()[7] = NaN;
    };
    expect(await failing(collect(createSession(toyEngine({ runner })).generate('a')))).toMatchObject({ code: 'bad-file' });
  });
});

describe('the end', () => {
  const say = (ids: readonly number[], options: GenerateOptions = {}) => createSession(toyEngine({ next: script(2, ids) })).generate('a', { ...GREEDY, maxTokens: ids.length, ...options });

  test('EOS and EOT end the answer, unless they are to be ignored', async () => {
    for (const end of [EOS, EOT]) {
      const tokens = await collect(say([...spell('hi'), end, ...spell('yo')]));
      expect(textOf(tokens)).toBe('hi');
      expect(tokens.at(-1)).toMatchObject({ id: end, text: '', finish: 'eos' });
    }
    const tokens = await collect(say([...spell('hi'), EOS, ...spell('yo')], { ignoreEos: true }));
    expect(textOf(tokens)).toBe('hiyo');
    expect(tokens.at(-1)!.finish).toBe('length');
  });

  test('stop ids', async () => {
    const generation = say(spell('hi yo'), { stopIds: spell(' ') });
    expect(textOf(await collect(generation))).toBe('hi');
    expect(generation.summary).toMatchObject({ finish: 'stop', tokens: 3, text: 'hi' });
  });

  test.each<[string, number[], string | string[], string[]]>([
    ['across tokens', spell('abSTOPc'), 'STOP', ['a', 'b', '', '', '', '']],
    ['held back, then let go', spell('abSTOLEN'), 'STOP', ['a', 'b', '', '', '', 'STOL', 'E', 'N']],
    ['held back to the end', spell('abSTO'), 'STOP', ['a', 'b', '', '', 'STO']],
    ['inside one token', [...spell('x'), word('a END b'), ...spell('y')], 'END', ['x', 'a ']],
    ['a beginning that repeats', spell('aabaabaac'), 'aabaac', ['', '', '', '', '', 'aab', '', '', '']],
    ['the first of several', spell('one two'), ['two', 'e t', 'zzz'], ['o', 'n', '', '', '']],
    ['the longer held for the shorter', spell('xyz'), ['yz!', 'x y'], ['', 'x', 'yz']],
    ['in the middle of a character', [...spell('é!').slice(0, 1), ...spell('é!').slice(1)], '!', ['', 'é', '']],
    ['more than bytes', [word('hello'), word(' END'), ...spell('.')], 'o E', ['hell', '']],
  ])('stop strings: %s', async (_, ids, stop, texts) => {
    const tokens = await collect(say(ids, { stop }));
    expect(tokens.map(({ text }) => text)).toEqual(texts);
    expect(textOf(tokens)).not.toContain(Array.isArray(stop) ? stop[0] : stop);
  });

  test('maxTokens 0 only fills the cache', async () => {
    const runner = toyRunner();
    const session = createSession(toyEngine({ runner }));
    const generation = session.generate('abc', { maxTokens: 0 });
    expect(await collect(generation)).toEqual([]);
    expect(generation.summary).toMatchObject({ finish: 'length', promptTokens: 4, tokens: 0 });
    const next = session.generate('abcd', { maxTokens: 1 });
    await collect(next);
    expect(next.summary.reusedTokens).toBe(4);
  });
});

describe('context', () => {
  const at = (contextLength: number, options = {}) => createSession(toyEngine({ contextLength, maxBatch: 8, ...options }));

  test('without maxTokens the answer ends where the context does', async () => {
    const generation = at(10).generate('abc', GREEDY);
    const tokens = await collect(generation);
    expect(idsOf(tokens)).toEqual(plainGreedy([BOS, ...spell('abc')], 7));
    expect(generation.summary.finish).toBe('context');
  });

  test('what cannot fit is refused with numbers', async () => {
    expect((await failing(collect(at(10).generate('abc', { maxTokens: 8 })))).message).toBe(
      'Expected maxTokens of at most 7 (context of 10 tokens, prompt of 4), found 8. Ask for fewer tokens, load the model with a larger contextLength, or set overflow to "slide".',
    );
    expect(await collect(at(10).generate('abc', { maxTokens: 7 }))).toHaveLength(7);
    expect(await failing(collect(at(10).generate('0123456789')))).toMatchObject({ code: 'context-full', found: '11 tokens', expected: 'a prompt of at most 10 tokens' });
    expect(await collect(at(10).generate('012345678'))).toHaveLength(1);
  });

  test('slide forgets the oldest half but for BOS, and goes on as a fresh model would', async () => {
    const generation = at(10).generate('abc', { ...GREEDY, maxTokens: 40, overflow: 'slide' });
    const ids = idsOf(await collect(generation));
    const all = [BOS, ...spell('abc')];
    let visible = [...all];
    for (const id of ids) {
      if (visible.length > 10) visible = [BOS, ...visible.slice(-4)];
      expect(id).toBe(plainGreedy(visible, 1)[0]);
      visible.push(id);
    }
    expect(generation.summary).toMatchObject({ finish: 'length', tokens: 40 });
  });

  test('slide takes a prompt of any length, in any context', async () => {
    for (const contextLength of [1, 2, 3, 10, 17]) {
      const generation = at(contextLength).generate('a prompt that is much too long', { maxTokens: 30, overflow: 'slide' });
      expect(await collect(generation)).toHaveLength(30);
      expect(generation.summary.promptTokens).toBe(31);
    }
  });
});

describe('prefix reuse', () => {
  async function evaluated(prompts: readonly string[], options: GenerateOptions = {}) {
    const runner = toyRunner();
    const session = createSession(toyEngine({ runner }));
    const ids: number[][] = [];
    const reused: number[] = [];
    for (const prompt of prompts) {
      const generation = session.generate(prompt, { ...GREEDY, maxTokens: 3, ...options });
      ids.push(idsOf(await collect(generation)));
      reused.push(generation.summary.reusedTokens);
      expect(ids.at(-1)).toEqual(plainGreedy([BOS, ...spell(prompt)], 3));
    }
    return { reused, runner };
  }

  test('the longest common prefix stays, the last prompt token is always evaluated', async () => {
    const { reused } = await evaluated(['abcdef', 'abcxyz', 'abcxyz', 'q', 'abc']);
    expect(reused).toEqual([0, 4, 6, 1, 1]);
  });

  test('a prompt that continues the answer reuses the answer', async () => {
    const session = createSession(toyEngine());
    const prompt = [BOS, ...spell('abc')];
    const first = idsOf(await collect(session.generate(prompt, { ...GREEDY, maxTokens: 5 })));
    const more = session.generate([...prompt, ...first, 65], { ...GREEDY, maxTokens: 5 });
    expect(idsOf(await collect(more))).toEqual(plainGreedy([...prompt, ...first, 65], 5));
    expect(more.summary.reusedTokens).toBe(prompt.length + 4); // the fifth token was never evaluated
  });

  test('can be switched off', async () => {
    expect((await evaluated(['abc', 'abc'], { reusePrefix: false })).reused).toEqual([0, 0]);
  });
});

describe('prefill', () => {
  const long = 'x'.repeat(199);

  test('goes in pieces of maxBatch where that is quick, reports progress, and computes logits only for the last', async () => {
    const runner = toyRunner();
    const seen: PrefillProgress[] = [];
    await collect(createSession(toyEngine({ runner })).generate(long, { maxTokens: 2, onProgress: (progress) => seen.push(progress) }));
    expect(runner.evaluations.map(({ start, ids, logits }) => [start, ids.length, logits])).toEqual([[0, 16, 'none'], [16, 64, 'none'], [80, 64, 'none'], [144, 56, 'last'], [200, 1, 'last']]);
    expect(seen.map(({ done }) => done)).toEqual([0, 16, 80, 144, 200]);
    expect(seen.every(({ phase, total }) => phase === 'prefill' && total === 200)).toBe(true);
  });

  test.each([
    ['by a timer', (controller: AbortController) => setTimeout(() => controller.abort(new Error('enough')), 0)],
    ['while progress is reported', (controller: AbortController, done: number) => done >= 64 && controller.abort(new Error('enough'))],
  ])('an abort %s is honoured within 64 tokens, and the session goes on rightly', async (_, abort) => {
    const runner = toyRunner({ contextLength: 20_000 });
    const session = createSession(toyEngine({ runner }));
    const endless = 'x'.repeat(19_000);
    const controller = new AbortController();
    let evaluatedAtAbort = Infinity;
    controller.signal.addEventListener('abort', () => (evaluatedAtAbort = runner.evaluations.length));
    const generation = session.generate(endless, { signal: controller.signal, onProgress: ({ done }) => void abort(controller, done) });
    expect(await failing(collect(generation))).toMatchObject({ code: 'aborted', cause: expect.objectContaining({ message: 'enough' }) });
    expect(generation.summary.finish).toBe('aborted');
    expect(runner.evaluations.length).toBeLessThanOrEqual(evaluatedAtAbort + 1);
    const kept = runner.evaluations.reduce((sum, { ids }) => sum + ids.length, 0);
    const after = session.generate(endless.slice(0, 18_000), { ...GREEDY, maxTokens: 3 });
    expect(idsOf(await collect(after))).toEqual(plainGreedy([BOS, ...spell(endless.slice(0, 18_000))], 3));
    expect(after.summary.reusedTokens).toBe(kept);
  });

  test('timers run while a long answer is decoded', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await collect(createSession(toyEngine({ contextLength: 5000 })).generate('a', { maxTokens: 600, ignoreEos: true }));
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(0);
  });
});
