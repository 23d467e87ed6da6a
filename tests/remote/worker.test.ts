// A model in a worker against the same model here: same tokens, same bits, same refusals. The worker's program is the built one.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { load, loadInWorker, type Model, type ModelInfo, StonechatError, type WorkerModel } from '../../src/entry/node.js';
import { judgeContinuations } from '../../src/judge/index.js';
import { defaultModel } from 'stonechat/default-model';
import { collectTokens } from './support.js';

const PROMPT = 'Once upon a time';
const OPTIONS = { maxTokens: 12, seed: 1, hashLogits: true };

let here: Model;
let there: WorkerModel;

beforeAll(async () => {
  here = await load(defaultModel());
  there = await loadInWorker(defaultModel());
});
afterAll(() => {
  here.dispose();
  there.dispose();
});

/** What `work` throws, now or later. */
async function errorOf(work: () => unknown): Promise<StonechatError> {
  try {
    await work();
  } catch (error) {
    expect(error).toBeInstanceOf(StonechatError);
    return error as StonechatError;
  }
  throw new Error('nothing was thrown');
}

const timeless = (summary: object) => Object.fromEntries(Object.entries(summary).filter(([name]) => !/Seconds$|PerSecond$/.test(name)));

describe('a model in a worker', () => {
  it('generates the same tokens and bits, tells of the prompt, and fills in its summary as it goes', async () => {
    const heard: unknown[] = [];
    const local = here.generate(PROMPT, OPTIONS);
    const remote = there.generate(PROMPT, { ...OPTIONS, onProgress: (progress) => heard.push(progress) });
    expect(timeless({ ...remote.summary })).toEqual(timeless({ ...local.summary }));
    expect(await collectTokens(remote)).toEqual(await collectTokens(local));
    expect(timeless({ ...remote.summary })).toEqual(timeless({ ...local.summary }));
    expect(remote.summary.logitsHash).toMatch(/^[0-9a-f]{16}$/);
    expect(heard.at(-1)).toEqual({ phase: 'prefill', done: 5, total: 5 });
  });

  it('knows what the model knows', async () => {
    const facts = (info: ModelInfo) => ({ ...info, memoryBytes: 0 });
    expect(facts(there.info)).toEqual(facts(here.info));
    expect(await there.logits(PROMPT)).toEqual(await here.logits(PROMPT));
    expect(await collectTokens(there.score(PROMPT, { top: 2 }))).toEqual(await collectTokens(here.score(PROMPT, { top: 2 })));
    expect((await errorOf(() => there.renderChat([{ role: 'user', content: 'Hi' }]))).code)
      .toBe((await errorOf(() => here.renderChat([{ role: 'user', content: 'Hi' }]))).code);
  });

  it('answers for its tokenizer', async () => {
    const { tokenizer } = there;
    expect(tokenizer).toMatchObject({ kind: here.tokenizer.kind, size: here.tokenizer.size, bos: here.tokenizer.bos, stopIds: here.tokenizer.stopIds });
    const ids = await tokenizer.encode('A bird über allem 🐦', { addSpecial: false });
    expect(ids).toEqual(here.tokenizer.encode('A bird über allem 🐦', { addSpecial: false }));
    expect(await tokenizer.decode(new Set(ids))).toBe(here.tokenizer.decode(new Set(ids)));
    expect(await tokenizer.bytes(ids[0]!)).toEqual(here.tokenizer.bytes(ids[0]!));
    expect([await tokenizer.token(5), await tokenizer.id('a'), await tokenizer.isSpecial(0)])
      .toEqual([here.tokenizer.token(5), here.tokenizer.id('a'), here.tokenizer.isSpecial(0)]);
    const [near, far] = [here.tokenizer.stream(), tokenizer.stream()];
    for (const id of ids) expect(await far.push(id)).toBe(near.push(id));
    expect(await far.flush()).toBe(near.flush());
  });

  it('keeps sessions apart, queues on one, and ends them', async () => {
    const session = there.createSession();
    const [one, two] = [session.generate(PROMPT, OPTIONS), session.generate(PROMPT, { ...OPTIONS, seed: 2 })];
    const [first, second] = await Promise.all([collectTokens(one), collectTokens(two)]);
    expect(second).not.toEqual(first);
    expect(two.summary.reusedTokens).toBeGreaterThan(0);
    const cut = session.generate(PROMPT, OPTIONS);
    await cut.next();
    session.dispose();
    expect((await errorOf(() => cut.next())).code).toBe('disposed');
    expect((await errorOf(() => session.generate(PROMPT))).code).toBe('disposed');
    expect(await collectTokens(there.generate(PROMPT, OPTIONS))).toEqual(first);
  });

  it('reads prompts ahead, forks, saves and restores sessions', async () => {
    const expected = await here.generate(PROMPT, OPTIONS).text();
    const session = there.createSession();
    expect(await session.append(PROMPT)).toBe(await here.createSession().append(PROMPT));
    const restored = [session.fork(), await there.restoreSession(await session.save()), await here.restoreSession(await session.save())];
    for (const each of restored) {
      const generation = each.generate(PROMPT, OPTIONS);
      expect(await generation.text()).toBe(expected);
      expect(generation.summary.reusedTokens).toBeGreaterThan(0);
      each.dispose();
    }
    session.dispose();
    expect((await errorOf(() => session.save())).code).toBe('disposed');
    expect((await errorOf(() => there.restoreSession(new Uint8Array(9)))).code).toBe('bad-file');
  });

  it('gives texts and streams of bytes, and judges on sessions', async () => {
    const text = await here.generate(PROMPT, OPTIONS).text();
    const remote = there.generate(PROMPT, OPTIONS);
    expect([await remote.text(), await remote.text()]).toEqual([text, text]);
    expect(JSON.parse(JSON.stringify(remote.summary))).toMatchObject({ seed: 1, text, finish: 'length' });
    expect(await new Response(there.generate(PROMPT, OPTIONS).toReadableStream()).text()).toBe(text);
    const reader = there.generate(PROMPT, { seed: 1 }).toReadableStream().getReader();
    await reader.read();
    await reader.cancel();
    const session = there.createSession();
    const options = { continuation: ' there was a bird', top: 1 };
    expect(await collectTokens(session.score(PROMPT, options))).toEqual(await collectTokens(here.score(PROMPT, options)));
    const found = await judgeContinuations(there, PROMPT, [', there', ' a']);
    expect(found).toEqual(await judgeContinuations(here, PROMPT, [', there', ' a']));
    session.dispose();
    expect((await errorOf(() => collectTokens(session.score(PROMPT)))).code).toBe('disposed');
  });

  it('ends at a signal, before, between and during tokens, with its reason; and quietly at a break', async () => {
    const controller = new AbortController();
    const generation = there.generate(PROMPT, { maxTokens: 400, signal: controller.signal });
    await generation.next();
    controller.abort('enough');
    const error = await errorOf(() => generation.next());
    expect([error.code, error.cause, generation.summary.finish]).toEqual(['aborted', 'enough', 'aborted']);

    const soon = there.generate(PROMPT, { maxTokens: 400, signal: AbortSignal.timeout(30) });
    expect((await errorOf(() => collectTokens(soon))).code).toBe('aborted');
    const never = there.generate(PROMPT, { signal: AbortSignal.abort('no') });
    expect([(await errorOf(() => never.next())).cause, never.summary.tokens]).toEqual(['no', 0]);

    const left = there.generate(PROMPT, OPTIONS);
    for await (const _ of left) break;
    expect([left.summary.tokens, left.summary.finish]).toEqual([1, undefined]);
    expect((await there.generate(PROMPT, { maxTokens: 1 }).next()).done).toBe(false);
  });

  it.each([
    ['an unknown option', { temperatur: 1 } as object],
    ['a bad value', { topP: 7 }],
    ['samplers, which are functions', { samplers: [() => {}] }],
  ])('refuses %s at once', async (_, options) => {
    expect(() => there.generate(PROMPT, options)).toThrow(expect.objectContaining({ name: 'StonechatError', code: 'bad-option' }) as Error);
  });

  it('gives errors of the worker with code, parts and cause', async () => {
    const [near, far] = await Promise.all([here, there].map((model) => errorOf(() => collectTokens(model.generate(PROMPT, { maxTokens: 1000 })))));
    const parts = ({ code, expected, found, remedy, message }: StonechatError) => ({ code, expected, found, remedy, message });
    expect(parts(far!)).toEqual(parts(near!));
    expect(far!.code).toBe('context-full');
  });
});

describe('loadInWorker', () => {
  const bytes = defaultModel();
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += 300_000) yield bytes.subarray(at, at + 300_000);
  }
  const source = () => ({
    name: 'mine.gguf',
    size: bytes.length,
    read: async (offset: number, into: Uint8Array) => into.set(bytes.subarray(offset, offset + into.length)),
    close: async () => {},
  });

  it.each([
    ['a view into a larger buffer', () => Buffer.concat([Buffer.alloc(1), bytes]).subarray(1)],
    ['a Blob', () => new Blob([bytes])],
    ['a stream', () => new Blob([bytes]).stream()],
    ['a response', () => new Response(bytes)],
    ['a source of the caller', source],
    ['a list of one source', () => [source()]],
    ['an iterable of pieces', pieces],
    ['a path', () => 'models/default.gguf'],
    ['a file: URL', () => new URL('../../models/default.gguf', import.meta.url)],
  ])('takes %s, and says how far it is', async (_, make) => {
    const heard: { done: number; total: number }[] = [];
    using model = await loadInWorker(make() as Blob, { threads: 1, onProgress: (progress) => heard.push(progress) });
    expect((await model.generate(PROMPT, OPTIONS).next()).value?.text).toBe(',');
    expect(heard.at(-1)!.done).toBeGreaterThan(1_000_000);
  });

  it.each([
    ['a file that is not there', 'nowhere.gguf', {}, 'not-found'],
    ['no model', new Uint8Array(64), {}, 'bad-file'],
    ['half a model', bytes.slice(0, 1_000_000), {}, 'truncated'],
    ['nothing', undefined, {}, 'bad-option'],
    ['a function as source', () => bytes, {}, 'bad-option'],
    ['an unknown option', bytes, { thread: 1 }, 'bad-option'],
    ['no list of adapters', bytes, { lora: 3 }, 'bad-option'],
    ['adapters without a source', bytes, { lora: [1] }, 'bad-option'],
    ['a callback that is none', bytes, { onProgress: 1 }, 'bad-option'],
    ['options that are none', bytes, 7, 'bad-option'],
    ['a signal that has fired', bytes, { signal: AbortSignal.abort() }, 'aborted'],
  ])('refuses %s', async (_, from, options, code) => {
    expect((await errorOf(() => loadInWorker(from as string, options as object))).code).toBe(code);
  });

  it('hands on what a callback throws', async () => {
    const thrown = new Error('mine');
    const fail = () => {
      throw thrown;
    };
    await expect(loadInWorker(bytes, { onProgress: fail })).rejects.toBe(thrown);
    await expect(loadInWorker({ ...source(), read: async () => fail() })).rejects.toThrow('mine');
  });

  it('renders chat templates, with their limits, refusals and signals', async () => {
    using model = await loadInWorker(bytes, { chatTemplate: '{% for m in messages %}[{{ m.content | upper }}]{% endfor %}' });
    const messages = [{ role: 'user', content: 'hi' }];
    expect(await model.renderChat(messages)).toBe('[HI]');
    expect((await model.generate(messages, OPTIONS).next()).done).toBe(false);
    for (const chatTemplate of ['{% for i in range(1000000000) %}x{% endfor %}', '{{ raise_exception("no") }}', '{% if %}']) {
      using near = await load(bytes, { chatTemplate });
      using far = await loadInWorker(bytes, { chatTemplate });
      const [one, two] = [await errorOf(() => near.renderChat(messages)), await errorOf(() => far.renderChat(messages))];
      expect([two.code, two.message]).toEqual([one.code, one.message]);
    }
  });

  it('takes kernels from the caller', async () => {
    const asked: string[] = [];
    const { readFileSync } = await import('node:fs');
    using model = await loadInWorker(bytes, {
      build: 'scalar', threads: 1,
      kernels: (build, shared, set) => (asked.push(`${build} ${shared} ${set}`), readFileSync(`dist/wasm/${set}/${build}.wasm`)),
    });
    expect((await model.generate(PROMPT, OPTIONS).next()).value?.text).toBe(',');
    expect(asked).toEqual(['scalar false core', 'scalar false q0']);
  });

  it('dispose ends what runs, and the worker', async () => {
    const model = await loadInWorker(bytes);
    const generation = model.generate(PROMPT);
    await generation.next();
    const pending = errorOf(() => collectTokens(generation));
    model.dispose();
    model.dispose();
    expect((await pending).code).toBe('disposed');
    for (const call of [() => model.logits('a'), () => model.generate('a'), () => model.tokenizer.encode('a'), () => collectTokens(model.createSession().generate('a'))]) {
      expect((await errorOf(call)).code).toBe('disposed');
    }
  });

  it('does not keep a process alive', async () => {
    const { execFile } = await import('node:child_process');
    const { promisify } = await import('node:util');
    const program = `
      import { loadInWorker } from 'stonechat';
      const model = await loadInWorker('models/default.gguf', { threads: 1 });
      for await (const { text } of model.generate('Once upon a time', { maxTokens: 3, seed: 1 })) process.stdout.write(text);`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { timeout: 50_000 });
    expect(stdout).toBe(', there was');
  });
});
