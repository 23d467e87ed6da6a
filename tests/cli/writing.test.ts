// No command writes over what it reads, by whatever name; what it refuses it leaves as it was.
import { execFileSync } from 'node:child_process';
import { copyFileSync, linkSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { collect } from '../../src/files/chunks.js';
import { tensorOf, writeGguf } from '../../src/files/gguf-writer.js';
import { ggufTokenizer } from '../../src/text/byte-level.js';
import { tinyModel } from '../models/tiny.js';
import { isBuilt, run } from './support.js';

const TOKENS = ggufTokenizer({ specialTokens: ['<|endoftext|>'], merges: [], pattern: 'gpt2', bos: '<|endoftext|>', eos: '<|endoftext|>', addBos: true });
const tiny = tinyModel({ architecture: 'llama', embedding: 32, layers: 1, heads: 2, kvHeads: 2, feedForward: 32, vocabulary: 257, context: 64 });
let folder = '';
const at = (name: string) => join(folder, name);
/** Every file of the folder with what is in it. */
const contents = () => Object.fromEntries(readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).sort().map((path) => [path, readFileSync(path, 'latin1')]));

let model: Uint8Array;
beforeAll(async () => {
  const tensors = [...tiny.reference].map(([name, { shape, data }]) => tensorOf(name, 'f32', shape, new Uint8Array(Float32Array.from(data).buffer)));
  model = await collect(writeGguf({ metadata: new Map([...tiny.metadata, ...TOKENS]), tensors }));
});
beforeEach(() => {
  if (folder) rmSync(folder, { recursive: true, force: true });
  folder = mkdtempSync(join(tmpdir(), 'stonechat-writing-'));
  writeFileSync(at('base.gguf'), model);
  linkSync(at('base.gguf'), at('hard.gguf'));
  symlinkSync('base.gguf', at('soft.gguf'));
  writeFileSync(at('corpus.txt'), 'One swallow sings.\n'.repeat(400));
  writeFileSync(at('corpus.html'), 'One swallow sings.\n'.repeat(400));
  writeFileSync(at('held.txt'), 'Two swallows sing.\n');
  writeFileSync(at('small.json'), '{ "embedding": 32, "layers": 1, "heads": 2, "context": 32 }');
  writeFileSync(at('examples.jsonl'), '{ "prompt": "a", "completion": "b" }\n'.repeat(20));
  writeFileSync(at('template.jinja'), '{{ messages[0].content }}');
  mkdirSync(at('parts'));
  writeFileSync(at('parts/pairs.jsonl'), '{ "sentence_good": "a b", "sentence_bad": "b a" }\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!isBuilt)('over its inputs writes no command (needs npm run build)', () => {
  const tune = ['finetune', '-m', '$/base.gguf', '$/examples.jsonl', '--steps', '1', '--batch', '1'];
  const train = ['train', '$/corpus.txt', '--config', '$/small.json', '--steps', '1', '--batch', '2', '--vocabulary', '260'];
  it.each<[string, string[]]>([
    ['quantize', ['quantize', '$/base.gguf', '$/base.gguf', '--type', 'q4_0']],
    ['quantize by a hard link', ['quantize', '$/base.gguf', '$/hard.gguf', '--type', 'q4_0']],
    ['quantize by a link', ['quantize', '$/base.gguf', '$/soft.gguf', '--type', 'q4_0']],
    ['quantize of a link', ['quantize', '$/soft.gguf', '$/base.gguf', '--type', 'q4_0']],
    ['quantize by a relative name', ['quantize', '$/base.gguf', '%/base.gguf', '--type', 'q4_0']],
    ['quantize over its text', ['quantize', '$/base.gguf', '$/held.txt', '--type', 'q4_0', '--text', '%/held.txt']],
    ['convert', ['convert', '$/base.gguf', '%/base.gguf', '--type', 'f16']],
    ['train over its corpus', [...train, '-o', '%/corpus.txt']],
    ['train over its validation', [...train, '--validation', '$/held.txt', '-o', '%/held.txt']],
    ['train over its sizes', [...train, '-o', '%/small.json']],
    ['train over its tokenizer', [...train, '--tokenizer', '$/base.gguf', '-o', '$/hard.gguf']],
    ['train with a report over its corpus', ['train', '$/corpus.html', '-o', '$/corpus.gguf', '--steps', '1']],
    ['train with a checkpoint over its corpus', [...train, '-o', '$/new.gguf', '--checkpoint', '%/corpus.txt']],
    ['train with a checkpoint over its result', [...train, '-o', '$/new.gguf', '--checkpoint', '%/new.gguf']],
    ['finetune over its model', [...tune, '-o', '%/base.gguf']],
    ['finetune over its examples', [...tune, '-o', '%/examples.jsonl']],
    ['finetune over its template', [...tune, '--template', '$/template.jinja', '-o', '%/template.jinja']],
    ['merge over the model', ['merge', '-m', '$/base.gguf', '--lora', '$/soft.gguf:0.5', '-o', '%/hard.gguf']],
    ['merge over an adapter', ['merge', '-m', '$/base.gguf', '--lora', '$/held.txt:5e-1', '-o', '%/held.txt']],
    ['compare over its corpus', ['compare', '$/corpus.txt', '--steps', '1', '--picture', '%/corpus.txt']],
    ['eval over its text', ['eval', '-m', '$/base.gguf', '--text', '$/held.txt', '--picture', '%/held.txt']],
    ['eval over its model', ['eval', '-m', '$/base.gguf', '--text', '$/held.txt', '--picture', '%/soft.gguf']],
    ['eval over a file of its folder', ['eval', '-m', '$/base.gguf', '--text', '$/held.txt', '--blimp', '$/parts', '--picture', '%/parts/pairs.jsonl']],
    ['trust over its model', ['trust', '-m', '$/base.gguf', '--judge', 'a b', '--html', '%/base.gguf']],
    ['bench over what it compares with', ['bench', '--model', '$/base.gguf', '--save', '%/base.gguf', '--kernels', 'none']],
  ])('%s', async (_, args) => {
    const before = contents();
    const { code, error } = await run(args.map((arg) => arg.replace('$', folder).replace('%', relative('.', folder))));
    expect([code, error]).toEqual([2, expect.stringMatching(/none of what is read|outputs of different names/)]);
    expect(contents()).toEqual(before);
  });

  it('convert over a folder that it reads', async () => {
    expect((await run(['convert', at('base.gguf'), at('hf')])).code).toBe(0);
    const before = contents();
    for (const from of [at('hf'), at('hf/model.safetensors'), at('hf/config.json')]) {
      expect(await run(['convert', from, `${relative('.', folder)}/hf/`])).toMatchObject({ code: 2, error: expect.stringContaining('none of what is read') });
    }
    expect(await run(['quantize', at('hf'), at('hf/tokenizer.json'), '--type', 'q4_0'])).toMatchObject({ code: 2 });
    expect(contents()).toEqual(before);
    for (let times = 0; times < 2; times++) expect((await run(['convert', at('hf'), at('hf/made.gguf')])).code).toBe(0); // beside them it may
  });

  it('over a part of a split model', async () => {
    for (const part of ['m-00001-of-00002.gguf', 'm-00002-of-00002.gguf']) copyFileSync(at('base.gguf'), at(part));
    const before = contents();
    expect(await run(['quantize', at('m-00001-of-00002.gguf'), at('m-00002-of-00002.gguf'), '--type', 'q4_0'])).toMatchObject({ code: 2 });
    expect(contents()).toEqual(before);
  });
});

describe.skipIf(!isBuilt || process.platform === 'win32')('what is no file (needs npm run build)', () => {
  it('is refused before work begins, and left', async () => {
    execFileSync('mkfifo', [at('fifo')]);
    const before = contents();
    for (const path of ['/dev/null', at('fifo'), at('parts')]) {
      expect(await run(['quantize', at('base.gguf'), path, '--type', 'q4_0', '--no-perplexity'])).toMatchObject({ code: 1, out: '', error: expect.stringMatching(/of that name/) });
      expect(await run(['train', at('corpus.txt'), '-o', path, '--steps', '1'])).toMatchObject({ code: 1, out: '', error: expect.stringMatching(/of that name/) });
    }
    expect(await run(['convert', at('base.gguf'), at('corpus.txt')])).toMatchObject({ code: 1, error: expect.stringContaining('a file of that name') });
    expect([lstatSync('/dev/null').isCharacterDevice(), lstatSync(at('fifo')).isFIFO(), contents()]).toEqual([true, true, before]);
  });
});

describe.skipIf(!isBuilt)('quantize (needs npm run build)', () => {
  it('judges the model before it writes', async () => {
    const { out } = await run(['quantize', at('base.gguf'), at('small.gguf'), '--type', 'q4_0', '--json', '--text', at('held.txt')]);
    const { before, after } = JSON.parse(out) as Record<'before' | 'after', { perplexity: number }>;
    expect(before.perplexity).not.toBe(after.perplexity);
    const missing = await run(['quantize', at('base.gguf'), at('none.gguf'), '--type', 'q4_0', '--text', at('no.txt')]);
    expect([missing.code, readdirSync(folder).includes('none.gguf')]).toEqual([1, false]);
  });
});
