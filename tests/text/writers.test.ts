// Tokenizers written in the other form: GGUF metadata as tokenizer.json and back give the same ids.
import { Tokenizer as HuggingFace } from '@huggingface/tokenizers';
import { describe, expect, it } from 'vitest';
import { openModel } from '../../src/files/index.js';
import { specFromGguf } from '../../src/text/gguf.js';
import { ggufMetadata } from '../../src/text/gguf-writer.js';
import { huggingFaceTokenizer } from '../../src/text/huggingface-writer.js';
import { specFromFile, specFromModel } from '../../src/text/index.js';
import type { TokenizerSpec } from '../../src/text/spec.js';
import { createTokenizer } from '../../src/text/tokenizer.js';
import { listFolder, openLocation } from '../../src/host/node-files.js';
import { randomText } from './support/random-text.js';
import { hasShared, kernels, noShared, readShared, readSharedText, SHARED } from './support/shared.js';

const STORIES = hasShared ? readSharedText('corpora/stories/tinystories_cased_merged.txt').slice(0, 60_000) : '';
const texts = [...Array.from({ length: 60 }, (_, i) => randomText(i + 1, 1 + ((i * 7) % 90))), ...STORIES.split('<|endoftext|>').slice(0, 30)];
const tokenizerOf = (spec: TokenizerSpec) => createTokenizer(spec, kernels);

async function specAt(path: string): Promise<TokenizerSpec> {
  const file = await openModel(SHARED + path, { open: openLocation, list: listFolder });
  const spec = await specFromModel(file);
  await file.close();
  return spec;
}

/** Read again from what was written. */
const fromFiles = (files: ReturnType<typeof huggingFaceTokenizer>) => {
  const bytes = (name: string) => (name in files ? new TextEncoder().encode(files[name as keyof typeof files]) : undefined);
  return specFromFile('tokenizer.json', bytes('tokenizer.json')!, async (name) => bytes(name));
};

/** Ids with and without special tokens, and what decodes from them. */
function expectSame(a: TokenizerSpec, b: TokenizerSpec, on = texts): void {
  const [first, second] = [tokenizerOf(a), tokenizerOf(b)];
  for (const text of on) {
    const ids = first.encode(text);
    expect([...second.encode(text)], JSON.stringify(text.slice(0, 80))).toEqual([...ids]);
    expect(second.decode(ids)).toBe(first.decode(ids));
  }
  expect([second.size, second.bos, second.eos, second.unk, [...second.stopIds].sort()]).toEqual([first.size, first.bos, first.eos, first.unk, [...first.stopIds].sort()]);
}

describe.skipIf(!hasShared)(`written tokenizers (${noShared} otherwise)`, () => {
  it.each(['tokenizers/llama.cpp/ggml-vocab-gpt-2.gguf', 'tokenizers/llama.cpp/ggml-vocab-starcoder.gguf', 'tokenizers/llama.cpp/ggml-vocab-llama-spm.gguf', 'models/derived/stories260K/stories260K-F32.gguf'])(
    '%s as tokenizer.json, which @huggingface/tokenizers reads the same, and back',
    async (path) => {
      const spec = await specAt(path);
      const files = huggingFaceTokenizer(spec);
      const again = await fromFiles(files);
      expectSame({ ...spec, stop: [] }, again);
      expectSame(again, specFromGguf(ggufMetadata(again)));
      const theirs = new HuggingFace(JSON.parse(files['tokenizer.json']) as object, {});
      const ours = tokenizerOf(spec);
      for (const text of texts.map((one) => one.replaceAll(/[\ufeff\u0085\u017f]|<\||<s>|\0/g, ''))) {
        expect(theirs.encode(text, { add_special_tokens: false }).ids, JSON.stringify(text.slice(0, 80))).toEqual([...ours.encode(text, { addSpecial: false })]);
      }
    },
  );

  it('llama2.c: spaces are marked, a story still ends with BOS', async () => {
    const spec = await specFromFile('tok512.bin', readShared('models/llama2c/stories260K/tok512.bin'), async () => undefined);
    const metadata = ggufMetadata(spec);
    expect(metadata.get('tokenizer.ggml.eot_token_id')).toBe(1);
    // To llama2.c the mark itself is a character as any other.
    expectSame(spec, specFromGguf(metadata), texts.map((text) => text.replaceAll('\u2581', '')));
    const derived = await specAt('models/derived/stories260K/stories260K-F32.gguf');
    expect(metadata.get('tokenizer.ggml.tokens')).toEqual(derived.tokens.toArray());
  });

  it('TinyStories-656K, a BPE with merges across words: scores in their order, ids as before on stories', async () => {
    const spec = await specAt('models/hf/TinyStories-656K');
    const metadata = ggufMetadata(spec);
    expect([...metadata.keys()].filter((key) => /model$|pre$|token_id|add_/.test(key)).map((key) => [key, metadata.get(key)])).toEqual([
      ['tokenizer.ggml.model', 'llama'], ['tokenizer.ggml.pre', 'default'], ['tokenizer.ggml.bos_token_id', 1], ['tokenizer.ggml.eos_token_id', 2], ['tokenizer.ggml.unknown_token_id', 0],
      ['tokenizer.ggml.add_bos_token', true], ['tokenizer.ggml.add_eos_token', false], ['tokenizer.ggml.add_space_prefix', true],
    ]);
    expectSame(spec, specFromGguf(metadata));
    expectSame(spec, await fromFiles(huggingFaceTokenizer(spec)));
  });

  it('gives rows of the embedding that have no token a name, and takes it away again', async () => {
    for (const path of ['tokenizers/llama.cpp/ggml-vocab-gpt-2.gguf', 'models/derived/stories260K/stories260K-F32.gguf']) {
      const spec = await specAt(path), size = spec.tokens.length;
      const metadata = ggufMetadata(spec, size + 3);
      for (const key of ['tokens', 'token_type', ...(spec.kind === 'spm' ? ['scores'] : [])]) expect(metadata.get(`tokenizer.ggml.${key}`)).toHaveLength(size + 3);
      expect((metadata.get('tokenizer.ggml.tokens') as string[]).at(-1)).toBe(`[PAD${size + 2}]`);
      const wide = specFromGguf(metadata);
      expect(wide.types.at(-1)).toBe(5);
      expect([...tokenizerOf(wide).encode('[PAD514] once')]).toEqual([...tokenizerOf(spec).encode('[PAD514] once')]);
      expectSame({ ...spec, stop: [] }, await fromFiles(huggingFaceTokenizer(wide)));
    }
  });

  it('refuses what the other form cannot say', async () => {
    const [t5, deepseek] = [await specFromFile('tokenizer.json', readShared('tokenizers/t5-small/tokenizer.json'), async () => undefined), await specAt('tokenizers/llama.cpp/ggml-vocab-deepseek-coder.gguf')];
    expect(() => ggufMetadata(t5)).toThrow(expect.objectContaining({ code: 'unsupported', expected: expect.stringContaining('byte pair') }));
    expect(() => huggingFaceTokenizer(t5)).toThrow(expect.objectContaining({ code: 'unsupported' }));
    expect(() => huggingFaceTokenizer(deepseek)).toThrow(expect.objectContaining({ code: 'unsupported', expected: expect.stringContaining('splitting words') }));
    expect(() => ggufMetadata(deepseek)).toThrow(expect.objectContaining({ code: 'unsupported', expected: expect.stringContaining('llama.cpp has a name for') }));
  });
});
