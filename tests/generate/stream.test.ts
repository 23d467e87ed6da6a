import { describe, expect, test } from 'vitest';
import { createSession } from '../../src/generate/session.js';
import type { GenerateOptions } from '../../src/generate/types.js';
import { collect, EOT, script, spell, toyEngine, toyRunner, turn, word } from './support.js';

const GREEDY: GenerateOptions = { temperature: 0 };
const SAID = [...spell('né€'), ...spell('😀'), word(' END')];
const saying = (options: GenerateOptions = {}) => createSession(toyEngine({ next: script(2, SAID) })).generate('a', { ...GREEDY, maxTokens: SAID.length, ...options });

describe('text()', () => {
  test('is the whole answer, whatever was read before, and however often it is asked for', async () => {
    expect(await saying().text()).toBe('né€😀 END');
    const generation = saying();
    await generation.next();
    expect(await generation.text()).toBe('né€😀 END');
    expect(await generation.text()).toBe('né€😀 END');
    expect(generation.summary.finish).toBe('length');
  });

  test('fails as the generation does', async () => {
    await expect(saying({ signal: AbortSignal.abort('why') }).text()).rejects.toMatchObject({ code: 'aborted', cause: 'why' });
  });
});

describe('toReadableStream()', () => {
  test('makes a Response, a text, a form that Node reads', async () => {
    expect(await new Response(saying().toReadableStream()).text()).toBe('né€😀 END');
    const texts: string[] = [];
    const reader = saying().toReadableStream().pipeThrough(new TextDecoderStream()).getReader();
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) texts.push(value!);
    expect(texts.join('')).toBe('né€😀 END');
    const { Readable } = await import('node:stream');
    const chunks: Buffer[] = [];
    for await (const chunk of Readable.fromWeb(saying().toReadableStream() as Parameters<typeof Readable.fromWeb>[0])) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toBe('né€😀 END');
  });

  test('works only when asked', async () => {
    const runner = toyRunner();
    const stream = createSession(toyEngine({ runner })).generate('abc', GREEDY).toReadableStream();
    await turn();
    expect(runner.evaluations).toEqual([]);
    await stream.cancel();
    expect(runner.evaluations).toEqual([]);
  });

  test('cancelled, it ends the generation and lets the next go on', async () => {
    const runner = toyRunner({ contextLength: 20_000 });
    const session = createSession(toyEngine({ runner }));
    const generation = session.generate('x'.repeat(15_000), GREEDY);
    const reader = generation.toReadableStream().getReader();
    const reading = reader.read();
    for (let i = 0; i < 5; i++) await turn();
    const before = runner.evaluations.length;
    await reader.cancel();
    expect((await reading).done).toBe(true);
    expect(runner.evaluations.length).toBeLessThanOrEqual(before + 2);
    expect(generation.summary).toMatchObject({ finish: undefined, tokens: 0 });
    expect(await collect(session.generate('abc', { ...GREEDY, maxTokens: 3 }))).toHaveLength(3);
  });

  test('carries errors', async () => {
    const controller = new AbortController();
    const reader = saying({ signal: controller.signal }).toReadableStream().getReader();
    await reader.read();
    controller.abort();
    await expect(reader.read()).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('a summary', () => {
  test('can be written as JSON, copied and posted', async () => {
    const small = saying({ seed: 7 }), large = saying({ seed: 2n ** 64n - 1n });
    await Promise.all([small.text(), large.text()]);
    expect(small.summary.seed).toBe(7);
    expect(large.summary.seed).toBe(2n ** 64n - 1n);
    expect(JSON.parse(JSON.stringify(small.summary))).toMatchObject({ seed: 7, text: 'né€😀 END', finish: 'length' });
    expect(JSON.parse(JSON.stringify({ answers: [large.summary] })).answers[0].seed).toBe('18446744073709551615');
    expect(JSON.parse(JSON.stringify({ ...small.summary })).seed).toBe(7);
    expect(structuredClone(large.summary)).toEqual(large.summary);
    const unseeded = saying();
    expect(typeof unseeded.summary.seed).toBe('number');
  });
});

describe('a stop string that is written as a special token is', () => {
  test('stops at that token too, and at its letters', async () => {
    const stop = '<|eot|>';
    const at = async (ids: readonly number[], options: GenerateOptions) => {
      const generation = createSession(toyEngine({ next: script(2, ids) })).generate('a', { ...GREEDY, maxTokens: ids.length, ignoreEos: true, ...options });
      return [await generation.text(), generation.summary.finish];
    };
    expect(await at([...spell('hi'), EOT, ...spell('yo')], { stop })).toEqual(['hi', 'stop']);
    expect(await at([...spell('hi'), EOT, ...spell('yo')], { stop: ['zzz', stop] })).toEqual(['hi', 'stop']);
    expect(await at([...spell(`hi${stop}yo`)], { stop })).toEqual(['hi', 'stop']);
    expect(await at([...spell('hi'), EOT, ...spell('yo')], { stop: `${stop}\n` })).toEqual(['hiyo', 'length']);
  });
});
