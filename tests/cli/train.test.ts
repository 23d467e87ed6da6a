// `stonechat train` as a program: killed at any moment it goes on to the same bytes; what it says, and what it refuses.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../src/train/data/random.js';
import { birdCorpus } from '../train/corpora.js';
import { isBuilt, lines, run } from './support.js';

let folder = '';
const at = (name: string) => join(folder, name);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'stonechat-'));
  writeFileSync(at('birds.txt'), birdCorpus(120).join('\n<|endoftext|>\n'));
  writeFileSync(at('more.txt'), birdCorpus(20, 2).join('\n<|endoftext|>\n'));
  writeFileSync(at('small.json'), JSON.stringify({ embedding: 32, layers: 2, heads: 2, kvHeads: 1, context: 32 }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const train = (output: string, ...more: string[]) => ['train', at('birds.txt'), '-o', at(output), '--config', at('small.json'), '--vocabulary', '300', '--batch', '8', ...more];
type Event = Record<string, unknown> & { kind: string };

describe.skipIf(!isBuilt)('stonechat train', () => {
  it('writes a model with a report, and says little in a pipe', async () => {
    const { code, out, error } = await run(train('quiet.gguf', '--steps', '12', '--validation', at('more.txt'), '-t', '1'));
    expect(code).toBe(0);
    const [start, ...evaluations] = error.trim().split('\n');
    expect(start).toMatch(/^llama, [\d,]+ parameters: .*tokens to learn from, .*; 12 steps of 8 x 32; .*; checkpoint .*quiet\.gguf\.checkpoint$/);
    expect(evaluations.length).toBeGreaterThan(1);
    expect(evaluations.at(-1)).toMatch(/^step 12: validation loss [\d.]+, .* bits per byte.*; training loss [\d.]+, [\d,]+ tokens\/s, 0 s left$/);
    expect(out).toMatch(/quiet\.gguf, .*quiet\.html, .*quiet\.loss\.svg: .* parameters, weights of step 12, validation perplexity [\d.]+, [\d.]+ bits per byte; 3,072 tokens in/);
    expect(out.trim().split('\n')).toHaveLength(2);
    const said = await run(['generate', 'The owl', '-m', at('quiet.gguf'), '-n', '5']);
    expect(said.code).toBe(0);
    expect(said.out).toMatch(/^The owl/);
    expect(readFileSync(at('quiet.loss.svg'), 'utf8')).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
    const page = readFileSync(at('quiet.html'), 'utf8');
    for (const part of ['<svg', 'attn_q', '300 x 32', 'validation perplexity', 'step 12', 'learningRate']) expect(page).toContain(part);
    expect(page).not.toMatch(/(src|href)=/);
    expect(readdirSync(folder).filter((name) => name.startsWith('quiet'))).toEqual(['quiet.gguf', 'quiet.html', 'quiet.loss.svg']);
  });

  it('says nothing with --quiet, and gives the same bytes under another name of the file', async () => {
    const [a, b] = await Promise.all(['one.gguf', 'two.gguf'].map((name) => run(train(name, '--steps', '3', '--no-report', '--quiet', '-t', '1'))));
    expect([a!.code, a!.error, b!.code, b!.error]).toEqual([0, '', 0, '']);
    expect(readFileSync(at('one.gguf')).equals(readFileSync(at('two.gguf')))).toBe(true);
    await run(train('three.gguf', '--steps', '3', '--no-report', '--quiet', '--name', 'Birds', '-t', '1'));
    expect(readFileSync(at('three.gguf'), 'latin1')).toContain('Birds');
  });

  it('tells all as JSON lines', async () => {
    const { code, out } = await run(train('lines.gguf', '--steps', '6', '--evaluate-every', '3', '--sample-every', '6', '--json', '--no-report'));
    expect(code).toBe(0);
    const events = lines(out) as Event[];
    expect(events.map(({ kind }) => kind)).toEqual(['start', 'evaluation', 'checkpoint', 'step', 'step', 'step', 'evaluation', 'checkpoint', 'step', 'step', 'step', 'evaluation', 'sample', 'checkpoint', 'done']);
    expect(events[3]).toMatchObject({ step: 1, steps: 6, loss: expect.any(Number), learningRate: expect.any(Number), norm: expect.any(Number), tokens: 256, seconds: expect.any(Number) });
    expect(events.at(-1)).toMatchObject({ files: [at('lines.gguf')], step: 6, tokens: 1536 });
  });

  it('killed at any moment, goes on to the bytes of a run that was never interrupted', async () => {
    const length = ['--steps', '150', '--checkpoint-every', '2', '--evaluate-every', '10', '--sample-every', '0', '--no-report', '--json', '--name', 'birds'];
    const unbroken = await run(train('whole.gguf', ...length, '-t', '1'));
    expect(unbroken.code).toBe(0);
    const random = new Random(20261125);
    let kills = 0;
    const resumed: number[] = [];
    for (let done = false; !done; ) {
      // After so many lines from the first step on, and then within so many milliseconds.
      const after = 2 + random.below(60);
      const within = random.below(30);
      const { code, out } = await run(train('killed.gguf', ...length, '--resume', '-t', String(1 + random.below(3))), '', (child) => {
        let seen = 0;
        child.stdout!.on('data', (chunk: string) => {
          seen += chunk.split('\n').length - 1;
          if (seen >= after && kills < 8) setTimeout(() => child.kill('SIGKILL'), within);
        });
      });
      const [first] = out.split('\n').filter((line) => line.startsWith('{"kind":"start"')).map((line) => JSON.parse(line) as { resumed: number });
      if (first) resumed.push(first.resumed);
      done = code === 0;
      if (!done) kills++;
    }
    expect(kills).toBeGreaterThanOrEqual(3);
    expect(resumed.filter((step) => step > 0).length).toBeGreaterThanOrEqual(2);
    expect(readFileSync(at('killed.gguf')).equals(readFileSync(at('whole.gguf')))).toBe(true);
    expect(readdirSync(folder).filter((name) => name.startsWith('killed'))).toEqual(['killed.gguf']);
  });

  it.each([['SIGINT', 130], ['SIGTERM', 143]] as const)('interrupted by %s, keeps a checkpoint and says how to go on', async (signal, exit) => {
    rmSync(at('stopped.gguf.checkpoint'), { force: true });
    const length = ['--steps', '100000', '--json', '--no-report'];
    const { code, error, out } = await run(train('stopped.gguf', ...length), '', (child) => {
      let sent = false; // a second one would end the process at once
      child.stdout!.on('data', (chunk: string) => {
        if (!sent && chunk.includes('"kind":"step"')) sent = child.kill(signal);
      });
    });
    expect(code).toBe(exit);
    expect(error).toContain('--resume');
    expect((lines(out) as Event[]).at(-1)).toMatchObject({ kind: 'checkpoint' });
    expect(existsSync(at('stopped.gguf.checkpoint'))).toBe(true);
    const again = await run(train('stopped.gguf', ...length));
    expect([again.code, again.error]).toEqual([2, expect.stringContaining('--restart')]);
  });

  it('compares the family tree: one table, layers, samples, files', async () => {
    const command = ['compare', at('birds.txt'), '--steps', '3', '--vocabulary', '300', '--order', '3', '--sample-tokens', '5', '--threads', '1', '-o', at('tree'), '--picture', at('tree.svg')];
    const { code, error, out } = await run(command);
    expect(code).toBe(0);
    for (const part of ['learning the vocabulary', 'counting n-grams', 'feed-forward network:', 'transformer:', 'tokens/s']) expect(error).toContain(part);
    for (const part of ['bits per byte', 'n-gram model', '3-grams', 'feed-forward network', 'transformer', 'ffn_up', 'the weights of token_embd', 'transformer writes:']) expect(out).toContain(part);
    expect(readdirSync(at('tree')).sort()).toEqual(['llama.gguf', 'n-gram.bin', 'nplm.gguf']);
    expect(readFileSync(at('tree.svg'), 'utf8')).toMatch(/^<svg /);
    const spoken = await run(['generate', 'A', '-m', at('tree/nplm.gguf'), '--max-tokens', '4', '--ignore-eos']);
    expect([spoken.code, spoken.error]).toEqual([0, '']);
    const asJson = await run([...command.slice(0, -4), '--json']);
    const last = lines(asJson.out).at(-1) as { kind: string; models: { kind: string; layers: unknown[] }[] };
    expect([last.kind, last.models.map(({ kind }) => kind)]).toEqual(['done', ['n-gram', 'network', 'transformer']]);
    expect(lines(asJson.out).length).toBeGreaterThan(6);
    const counted = ['-m', at('tree/n-gram.bin')];
    const generated = await run(['generate', 'The owl', ...counted, '--max-tokens', '6', '--seed', '3', '--json', '--ignore-eos', '--top-k', '5']);
    const tokens = lines(generated.out) as { text: string; logprob: number; entropy: number; top: { logprob: number }[]; tokens: number }[];
    expect([generated.code, tokens.at(-1)!.tokens]).toEqual([0, 6]);
    for (const { logprob, entropy, top } of tokens.slice(0, -1)) {
      expect([logprob <= 0, entropy > 0, top.length]).toEqual([true, true, 5]);
      expect(top[0]!.logprob).toBeGreaterThanOrEqual(top[4]!.logprob);
    }
    const [next, judged, trusted, lora] = await Promise.all([
      run(['next', 'The owl', ...counted, '--json', '--top', '300']),
      run(['eval', ...counted, '--text', at('birds.txt'), '--json']),
      run(['trust', '--judge', 'The owl', ...counted, '--json']),
      run(['generate', 'The owl', ...counted, '--kv-cache', 'q8_0']),
    ]);
    const shares = (JSON.parse(next.out) as { next: { probability: number }[] }).next.map(({ probability }) => probability);
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 4);
    expect((JSON.parse(judged.out) as { text: { perplexity: number } }).text.perplexity).toBeLessThan(30);
    expect([trusted.code, lora.code, lora.error]).toEqual([0, 2, expect.stringContaining('n-gram')]);
  });

  it.each([
    ['no text', ['train', '-o', 'x.gguf'], 2, 'a text to learn from'],
    ['no output', ['train', 'x.txt'], 2, '--output'],
    ['a text that is not there', ['train', 'nowhere.txt', '-o', '$/x.gguf'], 1, 'nowhere.txt'],
    ['a folder that is not there', ['train', '$/birds.txt', '-o', '$/nowhere/x.gguf'], 1, 'to write'],
    ['a folder in place of a file', ['train', '$/birds.txt', '-o', '$/folder'], 1, 'a folder of that name'],
    ['an output that is the text', ['train', '$/birds.txt', '-o', '$/birds.txt'], 2, 'none of what is read'],
    ['a configuration that is no JSON', ['train', '$/birds.txt', '-o', '$/x.gguf', '--config', '$/birds.txt'], 1, 'the model configuration'],
    ['a configuration with an unknown size', ['train', '$/birds.txt', '-o', '$/x.gguf', '--config', '$/wrong.json'], 2, 'Did you mean layers?'],
    ['an unknown option', ['train', '$/birds.txt', '-o', '$/x.gguf', '--step', '3'], 2, 'Did you mean --steps?'],
    ['a number out of range', ['train', '$/birds.txt', '-o', '$/x.gguf', '--dropout', '1'], 2, 'dropout to be'],
  ])('refuses %s before it begins', async (_, command, expected, message) => {
    mkdirSync(at('folder'), { recursive: true });
    writeFileSync(at('wrong.json'), '{"layer": 3}');
    const { code, error, out } = await run(command.map((word) => word.replace('$', folder)));
    expect([code, out]).toEqual([expected, '']);
    expect(error).toContain(message);
  });
});
