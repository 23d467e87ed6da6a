// What the calls of stonechat/train write: over nothing that they read, and nothing is learnt for a result that cannot be kept.
import { linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTrainer, type TrainOptions } from '../../src/entry/train.js';
import { createTuner } from '../../src/entry/tune.js';
import { createWriter } from '../../src/entry/write.js';
import { nodeHost } from '../../src/host/node.js';
import { birdCorpus } from '../train/corpora.js';

const host = nodeHost();
const { train } = createTrainer(host);
const { finetune, merge } = createTuner(host);
const { convert } = createWriter(host);
const corpus = birdCorpus(60);
const sizes: TrainOptions = { config: { embedding: 16, layers: 1, heads: 1, context: 16 }, vocabulary: 280, steps: 2, batch: 2, threads: 1, sampleEvery: 0 };
const examples = [{ prompt: 'The owl', completion: ' sings.' }, { prompt: 'The wren', completion: ' sleeps.' }];

let folder = '';
const at = (name: string) => join(folder, name);
let base: Buffer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'stonechat-outputs-'));
  await train(corpus, { ...sizes, output: at('base.gguf'), checkpoint: at('state') });
  base = readFileSync(at('base.gguf'));
  linkSync(at('base.gguf'), at('hard.gguf'));
  symlinkSync('base.gguf', at('soft.gguf'));
  mkdirSync(at('folder'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const refused = { name: 'StonechatError', code: 'bad-option', expected: expect.stringContaining('none of what is read') };

describe('outputs that are inputs', () => {
  it.each(['base.gguf', 'hard.gguf', 'soft.gguf'])('are refused: %s', async (name) => {
    await expect(convert(at('base.gguf'), { type: 'f16', output: at(name) })).rejects.toMatchObject(refused);
    await expect(convert(pathToFileURL(at('soft.gguf')), { type: 'f16', output: at(name) })).rejects.toMatchObject(refused);
    await expect(finetune(at('base.gguf'), examples, { output: at(name) })).rejects.toMatchObject(refused);
    await expect(finetune(at('base.gguf'), examples, { output: at('new.gguf'), checkpoint: at(name) })).rejects.toMatchObject(refused);
    await expect(merge(at('base.gguf'), { lora: [{ source: at('soft.gguf') }], output: at(name) })).rejects.toMatchObject(refused);
    await expect(train(corpus, { ...sizes, vocabulary: undefined, tokenizer: at('base.gguf'), output: at(name) })).rejects.toMatchObject(refused);
    expect(readFileSync(at('base.gguf')).equals(base)).toBe(true);
  });

  it('but for the checkpoint of a run that goes on', async () => {
    await expect(train(corpus, { ...sizes, resume: at('state'), output: at('state') })).rejects.toMatchObject(refused);
    await train(corpus, { ...sizes, resume: at('state'), checkpoint: at('state'), output: at('again.gguf') });
    expect(readFileSync(at('again.gguf')).equals(base)).toBe(true);
  });
});

describe('outputs that are no files', () => {
  it('are refused before anything is learnt', async () => {
    const events: string[] = [];
    const onEvent = ({ kind }: { kind: string }) => void events.push(kind);
    for (const output of [at('folder'), '/dev/null', at('no/such.gguf')]) {
      await expect(train(corpus, { ...sizes, output, onEvent })).rejects.toMatchObject({ name: 'StonechatError', code: 'unavailable' });
      await expect(train(corpus, { ...sizes, checkpoint: output, onEvent })).rejects.toMatchObject({ name: 'StonechatError', code: 'unavailable' });
      await expect(finetune(at('base.gguf'), examples, { output, onEvent })).rejects.toMatchObject({ name: 'StonechatError', code: 'unavailable' });
      await expect(convert(at('base.gguf'), { output })).rejects.toMatchObject({ name: 'StonechatError', code: 'unavailable' });
    }
    expect([events, readdirSync(at('folder'))]).toEqual([[], []]);
  });
});

describe('two calls at once', () => {
  it('write one file: each is whole, the later one stays', async () => {
    writeFileSync(at('both.gguf'), 'old');
    const [f16, q8] = await Promise.all([convert(at('base.gguf'), { type: 'f16' }), convert(at('base.gguf'), { type: 'f32' })]);
    for (let round = 0; round < 10; round++) {
      await Promise.all((['f16', 'f32'] as const).map((type) => convert(at('base.gguf'), { type, output: at('both.gguf') })));
      const found = readFileSync(at('both.gguf'));
      expect([f16, q8].some(({ files }) => found.equals(Buffer.from(files[0]!.bytes!)))).toBe(true);
    }
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
  });
});
