// `stonechat finetune` and `merge` as programs: what they write is loaded again, a killed run goes on to the same bytes.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { birdCorpus } from '../train/corpora.js';
import { isBuilt, lines, run } from './support.js';

let folder = '';
const at = (name: string) => join(folder, name);
const EXAMPLES = Array.from({ length: 24 }, (_, i) => ({ prompt: `The owl number ${i}`, completion: i % 2 ? ' sleeps.' : ' flies.' }));
const PAIRS = EXAMPLES.map(({ prompt, completion }) => ({ prompt, chosen: completion, rejected: ' barks.' }));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'stonechat-'));
  writeFileSync(at('birds.txt'), birdCorpus(60).join('\n<|endoftext|>\n'));
  writeFileSync(at('small.json'), JSON.stringify({ embedding: 32, layers: 2, heads: 2, kvHeads: 1, context: 32 }));
  writeFileSync(at('examples.jsonl'), EXAMPLES.map((example) => JSON.stringify(example)).join('\n'));
  writeFileSync(at('pairs.json'), JSON.stringify(PAIRS));
  writeFileSync(at('long.jsonl'), [...EXAMPLES, { prompt: 'The owl', completion: ' sleeps'.repeat(60) }].map((example) => JSON.stringify(example)).join('\n'));
  if (!isBuilt) return;
  await run(['train', at('birds.txt'), '-o', at('base.gguf'), '--config', at('small.json'), '--vocabulary', '300', '--batch', '8', '--steps', '12', '--no-report', '-t', '1']);
  await run(['quantize', at('base.gguf'), at('base-q4_0.gguf'), '--type', 'q4_0', '--no-perplexity']);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tune = (data: string, output: string, ...more: string[]) => ['finetune', '-m', at('base.gguf'), at(data), '-o', at(output), '-t', '1', ...more];

describe.skipIf(!isBuilt)('stonechat finetune', () => {
  it('writes a tuned model and leaves nothing else behind', async () => {
    const { code, out, error } = await run(tune('examples.jsonl', 'tuned.gguf'));
    expect(code).toBe(0);
    expect(error).toMatch(/^all weights: .* learn from .*; checkpoint .*tuned\.gguf\.checkpoint\nstep 0: validation loss [^\n]*\n[\s\S]* tokens\/s, 0 s left\n$/);
    expect(out).toMatch(/tuned\.gguf: .*, [\d,]+ parameters, weights of step \d+, validation loss [\d.]+ before, [\d.]+ after; \d+ s\nTry it: stonechat -m/);
    expect(readdirSync(folder).filter((name) => name.startsWith('tuned'))).toEqual(['tuned.gguf']);
    expect((await run(['generate', 'The owl', '-m', at('tuned.gguf'), '-n', '3'])).code).toBe(0);
  });

  it('writes an adapter for a quantised base, that generate, eval and merge take', async () => {
    const made = await run(['finetune', '-m', at('base-q4_0.gguf'), at('examples.jsonl'), '-o', at('adapter.gguf'), '--lora', '--rank', '4', '--targets', 'q_proj,ffn_down', '--learning-rate', '0.02', '--json', '-t', '1']);
    expect(made.code).toBe(0);
    const events = lines(made.out) as { kind: string }[];
    expect(events[0]).toMatchObject({ kind: 'start', settings: { lora: { rank: 4, alpha: 8, targets: ['q_proj', 'ffn_down'] } }, examples: 22, validationExamples: 2 });
    expect(events.at(-1)).toMatchObject({ kind: 'done', files: [at('adapter.gguf')], skipped: 0 });
    const generate = async (...more: string[]) => (await run(['generate', 'The owl number 3', '-m', at('base-q4_0.gguf'), '-n', '6', '--temperature', '0', '--json', ...more])).out;
    const hash = (text: string) => (lines(text).at(-1) as { logitsHash: string }).logitsHash;
    const [plain, none, some, twice] = await Promise.all([[], ['--lora', `${at('adapter.gguf')}:0`], ['--lora', at('adapter.gguf')], ['--lora', `${at('adapter.gguf')}:0.5`, '--lora', `${at('adapter.gguf')}:0.5`]].map((more) => generate(...more)));
    expect((lines(none!).at(-1) as { text: string }).text).toBe((lines(plain!).at(-1) as { text: string }).text);
    expect(hash(some!)).not.toBe(hash(plain!));
    expect((lines(twice!).at(-1) as { text: string }).text).toBe((lines(some!).at(-1) as { text: string }).text);
    expect((await run(['eval', '-m', at('base-q4_0.gguf'), '--lora', at('adapter.gguf'), '--text', at('birds.txt'), '--json'])).code).toBe(0);
    const merged = await run(['merge', '-m', at('base-q4_0.gguf'), '--lora', `${at('adapter.gguf')}:0.8`, '-o', at('merged.gguf')]);
    expect([merged.code, merged.error]).toEqual([0, '4 weights quantised anew (q4_0): what the adapters add is rounded with them. --type q8_0 or f16 keeps more of it.\n']);
    expect((await run(['generate', 'The owl', '-m', at('merged.gguf'), '-n', '3'])).code).toBe(0);
  });

  it('learns preferences', async () => {
    const { code, out } = await run(tune('pairs.json', 'polite.gguf', '--dpo', '--beta', '0.5', '--lora', '--epochs', '6', '--learning-rate', '0.01', '--json'));
    expect(code).toBe(0);
    const done = lines(out).at(-1) as { before: { loss: number }; after: { loss: number; accuracy: number } };
    expect(done.before.loss).toBeCloseTo(Math.LN2, 4);
    expect(done.after.loss).toBeLessThan(0.6);
    expect(done.after.accuracy).toBe(1);
  });

  it('says which examples were too long', async () => {
    const { code, error } = await run(tune('long.jsonl', 'rest.gguf', '--quiet', '--steps', '2', '--lora', '--clip', '1', '--long', 'skip'));
    expect([code, error]).toEqual([0, '1 example longer than 32 tokens left out (--long-examples cut keeps their beginnings).\n']);
  });

  it('killed, goes on to the bytes of a run that was never interrupted', async () => {
    const length = ['--steps', '30', '--checkpoint-every', '1', '--evaluate-every', '10', '--lora', '--json', '--dropout', '0.1'];
    expect((await run(tune('examples.jsonl', 'whole.gguf', ...length))).code).toBe(0);
    let kills = 0;
    for (let done = false, seen = 0; !done; seen = 0) {
      const { code } = await run(tune('examples.jsonl', 'killed.gguf', ...length, '--resume'), '', (child) => {
        child.stdout!.on('data', (chunk: string) => {
          seen += chunk.split('"kind":"step"').length - 1;
          if (kills < 2 && seen > 4 * (kills + 1)) kills += Number(child.kill('SIGKILL'));
        });
      });
      done = code === 0;
    }
    expect(kills).toBeGreaterThan(0);
    expect(readFileSync(at('killed.gguf')).equals(readFileSync(at('whole.gguf')))).toBe(true);
  }, 240_000);

  it.each<[string, () => string[], number, RegExp]>([
    ['no model', () => ['finetune', at('examples.jsonl'), '-o', at('x.gguf')], 2, /Expected a model/],
    ['no examples', () => ['finetune', '-m', at('base.gguf'), '-o', at('x.gguf')], 2, /Expected examples to learn from/],
    ['no output', () => ['finetune', '-m', at('base.gguf'), at('examples.jsonl')], 2, /Expected --output/],
    ['all weights of a quantised model', () => ['finetune', '-m', at('base-q4_0.gguf'), at('examples.jsonl'), '-o', at('x.gguf')], 2, /Expected a model of F32, F16 or BF16.*--lora.*--dequantize/],
    ['a rank without --lora', () => tune('examples.jsonl', 'x.gguf', '--rank', '4'), 2, /Add --lora/],
    ['the model as output', () => ['finetune', '-m', at('base.gguf'), at('examples.jsonl'), '-o', at('base.gguf')], 2, /none of what is read/],
    ['lines that are no JSON', () => tune('birds.txt.jsonl', 'x.gguf'), 1, /JSON in line 1/],
    ['an adapter as a model', () => ['generate', 'x', '-m', at('adapter.gguf'), '-n', '1'], 1, /adapter/],
    ['a model as an adapter', () => ['generate', 'x', '-m', at('base.gguf'), '--lora', at('base.gguf'), '-n', '1'], 1, /Expected a LoRA adapter/],
    ['no adapter to merge', () => ['merge', '-m', at('base.gguf'), '-o', at('x.gguf')], 2, /Expected --lora/],
  ])('refuses %s', async (_, args, code, message) => {
    writeFileSync(at('birds.txt.jsonl'), 'The owl\n');
    const outcome = await run(args());
    expect(outcome.error).toMatch(message);
    expect(outcome.code).toBe(code);
  });
});
