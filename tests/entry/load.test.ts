import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createStonechat } from '../../src/entry/load.js';
import { convert } from '../../src/entry/train-node.js';
import type { LoadOptions } from '../../src/generate/types.js';
import { nodeHost } from '../../src/host/node.js';
import { dataPath, hasData, titled } from '../golden/data.js';

const { load, estimate, loadTokenizer } = createStonechat(nodeHost());

describe('options of load', () => {
  it.each([
    ['threads', 0],
    ['threads', 2.5],
    ['threads', 1000],
    ['build', 'avx'],
    ['contextLength', NaN],
    ['contextLength', Infinity],
    ['contextLength', -1],
    ['kvCache', 'q4_1'],
    ['activations', 'bf16'],
    ['signal', 'stop'],
    ['onProgress', 7],
    ['headers', 'Authorization: x'],
    ['kernels', {}],
    ['tokenizer', ''],
  ])('refuses %s %s, whatever the source', async (name, value) => {
    await expect(load('no-such-file', { [name]: value })).rejects.toMatchObject({ code: 'bad-option', expected: expect.stringContaining(name) });
  });

  it('refuses an unknown name with the nearest one', async () => {
    await expect(load('x', { thread: 2 } as object)).rejects.toMatchObject({ code: 'bad-option', remedy: expect.stringContaining('threads') });
  });

  it('refuses a build that this host does not run rightly', async () => {
    const host = { ...nodeHost(), builds: ['simd', 'scalar'] as const, configure: () => host };
    await expect(createStonechat(host).load(new Uint8Array(1), { build: 'relaxed' })).rejects.toMatchObject({ name: 'StonechatError' });
  });
});

describe.skipIf(!hasData)(titled('load'), () => {
  const path = hasData ? dataPath('models/derived/stories260K/stories260K-Q8_0.gguf') : '';

  it('tells what was loaded', async () => {
    const model = await load(path, { contextLength: 100, kvCache: 'q8_0', threads: 2 });
    expect(model.info).toMatchObject({ format: 'gguf', architecture: 'llama', layers: 5, vocabulary: 512, contextLength: 100, trainedContextLength: 512, threads: 2, kvCache: 'q8_0', parameters: 260032 });
    model.dispose();
  });

  it('estimates what loading takes', async () => {
    const need = await estimate(path);
    expect(need.fits).toBe(true);
    expect(need.total).toBe(need.weights + need.kvCache + need.scratch);
    expect(need.weights).toBeLessThan(1.2 * need.fileBytes);
    // 5 layers, keys and values, 4 heads of 8, 512 tokens, 4 bytes.
    expect(need.kvCache).toBe(5 * 2 * 4 * 8 * 512 * 4);
  });

  it('refuses a tokenizer of another model', async () => {
    await expect(load(dataPath('models/llama2c/stories260K/stories260K.bin'), { tokenizer: dataPath('tokenizers/llama2c/tokenizer.bin') })).rejects.toMatchObject({
      code: 'bad-option',
      found: '32000 ids',
    });
  });

  it('says how to name a tokenizer where the model has none', async () => {
    await expect(load(dataPath('models/llama2c/stories260K/stories260K.bin'))).rejects.toMatchObject({ code: 'not-found', remedy: expect.stringMatching(/tokenizer/) });
  });

  it('loads a tokenizer alone, from a model or a file of its own', async () => {
    const own = await loadTokenizer(dataPath('models/hf/TinyStories-656K/tokenizer.json'));
    expect([...own.encode('Once upon a time')]).toEqual([1, 80, 147, 201, 282, 57]);
  });

  it('is stopped by its signal', async () => {
    await expect(load(path, { signal: AbortSignal.abort('no') })).rejects.toMatchObject({ code: 'aborted', cause: 'no' });
  });
});

describe('kernels', () => {
  /** The sets that loading asks for. */
  async function setsFor(source: Parameters<typeof load>[0], options: LoadOptions = {}): Promise<string[]> {
    const asked = new Set<string>();
    const kernels: LoadOptions['kernels'] = (build, shared, set) => (asked.add(set), readFileSync(`dist/wasm/${set}/${build}${shared ? '-shared' : ''}.wasm`));
    (await load(source, { ...options, kernels })).dispose();
    return [...asked].sort();
  }

  it('are those of the types that the file has, whatever else there is, with threads too', async () => {
    expect(await setsFor('models/default.gguf')).toEqual(['core', 'q0']);
    expect(await setsFor('models/default.gguf', { threads: 2, kvCache: 'q8_0' })).toEqual(['core', 'q0']);
    for (const [type, sets] of [['f16', ['core', 'floats']], ['q5_1', ['core', 'q1']], ['q4_0', ['core', 'q0']]] as const) {
      const { files } = await convert('models/default.gguf', { type, pure: true });
      expect(await setsFor(files[0]!.bytes!), type).toEqual(sets);
    }
  });

  it('that are missing are named, with how to add them', async () => {
    const kernels: LoadOptions['kernels'] = (build, shared, set) => (set === 'core' ? readFileSync(`dist/wasm/core/${build}.wasm`) : undefined);
    await expect(load('models/default.gguf', { threads: 1, build: 'simd', kernels })).rejects.toMatchObject({
      name: 'StonechatError', code: 'unavailable', expected: expect.stringMatching(/set q0 \(for q8_0/), remedy: expect.stringContaining('stonechat/kernels/q0/simd.wasm'),
    });
  });
});
