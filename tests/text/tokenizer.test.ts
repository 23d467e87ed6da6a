import { describe, expect, test } from 'vitest';
import { createTokenizer, tokenizerFromFile, type Tokenizer } from '../../src/text/index.js';
import { specFromGguf } from '../../src/text/gguf.js';
import { random } from '../files/support/random.js';
import { fileTokenizer, hasShared, kernels, kernelsOf, modelTokenizer, noShared } from './support/shared.js';
import { randomText } from './support/random-text.js';

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const fromJson = (value: unknown, siblings: Record<string, unknown> = {}) =>
  tokenizerFromFile('tokenizer.json', json(value), kernels, async (name) => (name in siblings ? json(siblings[name]) : undefined));

/** A small BPE in Hugging Face's form. */
const small = (more: Record<string, unknown> = {}, added: Record<string, unknown>[] = []) => ({
  added_tokens: [{ id: 0, content: '<s>', special: true }, { id: 1, content: '</s>', special: true }, ...added],
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
  decoder: { type: 'ByteLevel' },
  model: { type: 'BPE', vocab: { '<s>': 0, '</s>': 1, a: 2, b: 3, 'Ġ': 4, ab: 5, 'Ġab': 6, c: 7, 'Ã': 8, '¤': 9 }, merges: ['a b', 'Ġ ab'] },
  ...more,
});

test('flags are true or false, nothing that is taken for it', async () => {
  const tokenizer = await fromJson(small());
  for (const wrong of ['false', 0, 1, null, {}]) {
    const calls = [
      () => tokenizer.encode('a', { parseSpecial: wrong as never }), () => tokenizer.encode('a', { addSpecial: wrong as never }), () => tokenizer.encode('a', { marks: (wrong === 'false' ? 1 : wrong) as never }),
      () => tokenizer.pieces('a', { parseSpecial: wrong as never }), () => tokenizer.decode([2], { special: wrong as never }), () => tokenizer.stream({ special: wrong as never }),
    ];
    for (const call of calls) expect(call).toThrow(expect.objectContaining({ name: 'StonechatError', code: 'bad-option' }));
    await expect(tokenizer.encodeAsync('a', { parseSpecial: wrong as never })).rejects.toMatchObject({ code: 'bad-option' });
  }
});

describe('special tokens', () => {
  const added = (more: Record<string, unknown>) => [{ id: 10, content: '<x>', special: true, ...more }];

  test('are text unless asked for; what is not special is always found', async () => {
    const tokenizer = await fromJson(small({}, [{ id: 10, content: 'abc', special: false, normalized: false }]));
    expect([...tokenizer.encode('ab<s>', { parseSpecial: true })]).toEqual([5, 0]);
    expect([...tokenizer.encode('ab<s>')]).toEqual([5]); // '<', 's' and '>' have no token in this vocabulary
    expect([...tokenizer.encode('aabcc')]).toEqual([2, 10, 7]);
  });

  test('the longest of those that start together', async () => {
    const tokenizer = await fromJson(small({}, [{ id: 10, content: '<x>', special: true }, { id: 11, content: '<x><y>', special: true }]));
    expect([...tokenizer.encode('a<x><y>b<x>', { parseSpecial: true })]).toEqual([2, 11, 3, 10]);
  });

  test.each([
    ['lstrip', { lstrip: true }, [5, 10, 6]],
    ['rstrip', { rstrip: true }, [5, 4, 4, 10, 5]],
    ['neither', {}, [5, 4, 4, 10, 6]],
  ])('%s', async (_, more, ids) => {
    const tokenizer = await fromJson(small({}, added(more)));
    expect([...tokenizer.encode('ab  <x> ab', { parseSpecial: true })]).toEqual(ids);
  });

  test('single_word: only where no letter adjoins', async () => {
    const tokenizer = await fromJson(small({}, [{ id: 10, content: 'abca', special: false, single_word: true, normalized: false }]));
    expect([...tokenizer.encode('abca abcab')]).toEqual([10, 6, 7, 5]);
  });

  test('normalized: found in the normalised text', async () => {
    const normalizer = { type: 'Lowercase' };
    const late = await fromJson(small({ normalizer }, added({ normalized: true, special: false })));
    const early = await fromJson(small({ normalizer }, added({ normalized: false, special: false })));
    expect([...late.encode('AB<X>')]).toEqual([5, 10]);
    expect([...early.encode('AB<X>')]).toEqual([5]);
  });

  test('around the text by template, config or not at all', async () => {
    const template = {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '</s>', type_id: 0 } }],
      special_tokens: { '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] }, '</s>': { id: '</s>', ids: [1], tokens: ['</s>'] } },
    };
    const by = await fromJson(small({ post_processor: template }));
    expect([...by.encode('ab')]).toEqual([0, 5, 1]);
    expect([...by.encode('ab', { addSpecial: false })]).toEqual([5]);
    const config = await fromJson(small(), { 'tokenizer_config.json': { add_bos_token: true, bos_token: { content: '<s>' }, eos_token: '</s>', chat_template: 'T' } });
    expect([...config.encode('ab')]).toEqual([0, 5]);
    expect(config).toMatchObject({ bos: 0, eos: 1, chatTemplate: 'T' });
    expect([...(await fromJson(small())).encode('ab')]).toEqual([5]);
  });

  test('ids that end a generation', async () => {
    const more = [{ id: 10, content: '<|im_end|>', special: true }, { id: 11, content: '<|eot_id|>', special: false }];
    const tokenizer = await fromJson(small({}, more), { 'generation_config.json': { eos_token_id: [1, 7] } });
    expect(tokenizer.eos).toBe(1);
    expect(new Set(tokenizer.stopIds)).toEqual(new Set([1, 7, 10]));
  });
});

describe('GGUF metadata', () => {
  const spm = (more: [string, unknown][] = []) =>
    new Map<string, never>([
      ['tokenizer.ggml.model', 'llama'],
      ['tokenizer.ggml.tokens', ['<unk>', '<s>', '</s>', '▁', 'a', 'b', '▁a', 'ab', '<0x0A>', '<|eot|>']],
      ['tokenizer.ggml.scores', Float32Array.of(0, 0, 0, -9, -9, -9, -1, -2, 0, 0)],
      ['tokenizer.ggml.token_type', Int32Array.of(2, 3, 3, 1, 1, 1, 1, 1, 6, 3)],
      ...more,
    ] as [string, never][]);

  test('SPM: the space in front, BOS, bytes and the unknown', () => {
    const tokenizer = createTokenizer(specFromGguf(spm([['tokenizer.ggml.eot_token_id', 9]])), kernels);
    expect([...tokenizer.encode('ab')]).toEqual([1, 6, 5]);
    expect([...tokenizer.encode('a\nü')]).toEqual([1, 6, 8, 0]);
    expect([...tokenizer.encode('')]).toEqual([1]);
    expect([...tokenizer.encode('a</s>a', { parseSpecial: true })]).toEqual([1, 6, 2, 6]);
    expect(tokenizer.decode([1, 6, 5])).toBe('ab');
    expect(new Set(tokenizer.stopIds)).toEqual(new Set([2, 9]));
    expect([tokenizer.token(6), tokenizer.id('▁a'), tokenizer.size]).toEqual(['▁a', 6, 10]);
  });

  test('SPM: add_space_prefix, add_bos_token and add_eos_token as the file says', () => {
    const flags: [string, unknown][] = [['tokenizer.ggml.add_space_prefix', false], ['tokenizer.ggml.add_bos_token', false], ['tokenizer.ggml.add_eos_token', true]];
    const tokenizer = createTokenizer(specFromGguf(spm(flags)), kernels);
    expect([...tokenizer.encode('ab')]).toEqual([7, 2]);
    expect(tokenizer.decode([6, 5])).toBe(' ab');
  });

  test.each([
    ['no tokenizer', new Map(), 'not-found'],
    ['an unknown model', new Map([['tokenizer.ggml.model', 'plamo2']]), 'unsupported'],
    ['an unknown pre-tokenizer', new Map([...spm(), ['tokenizer.ggml.model', 'gpt2'], ['tokenizer.ggml.pre', 'no-such'], ['tokenizer.ggml.merges', []]] as never), 'unsupported'],
    ['no merges', new Map([...spm(), ['tokenizer.ggml.model', 'gpt2']] as never), 'bad-file'],
    ['scores that are too few', new Map([...spm(), ['tokenizer.ggml.scores', Float32Array.of(1)]] as never), 'bad-file'],
    ['tokens that are numbers', new Map([...spm(), ['tokenizer.ggml.tokens', Int32Array.of(1)]] as never), 'bad-file'],
  ])('%s: %3$s', (_, metadata, code) => {
    expect(() => createTokenizer(specFromGguf(metadata as never), kernels)).toThrow(expect.objectContaining({ name: 'StonechatError', code }));
  });
});

describe.skipIf(!hasShared)(`real vocabularies (${noShared} otherwise)`, () => {
  const all: [string, () => Promise<Tokenizer>][] = [
    ['llama (GGUF)', () => modelTokenizer('tokenizers/llama.cpp/ggml-vocab-llama-spm.gguf')],
    ['baichuan (GGUF)', () => modelTokenizer('tokenizers/llama.cpp/ggml-vocab-baichuan.gguf')],
    ['deepseek-coder (GGUF)', () => modelTokenizer('tokenizers/llama.cpp/ggml-vocab-deepseek-coder.gguf')],
    ['starcoder (GGUF)', () => modelTokenizer('tokenizers/llama.cpp/ggml-vocab-starcoder.gguf')],
    ['gpt2 (tokenizer.json)', () => fileTokenizer('tokenizers/gpt2/tokenizer.json')],
    ['cl100k', () => fileTokenizer('tokenizers/tiktoken/cl100k_base.tiktoken')],
    ['o200k', () => fileTokenizer('tokenizers/tiktoken/o200k_base.tiktoken')],
    ['llama2.c', () => fileTokenizer('tokenizers/llama2c/tokenizer.bin')],
  ];

  test.each(all)('%s: text comes back, streamed or whole, from any id', async (_, open) => {
    const tokenizer = await open();
    const lossless = (text: string) => text.replaceAll('▁', ' ');
    for (let seed = 1; seed <= 60; seed++) {
      const text = randomText(seed, 80);
      const ids = tokenizer.encode(text, { addSpecial: seed % 2 === 0 });
      expect(lossless(tokenizer.decode(ids))).toBe(lossless(text));
    }
    const { next } = random(9);
    const ids = Array.from({ length: 4000 }, () => next(tokenizer.size));
    const stream = tokenizer.stream({ special: true });
    let streamed = '';
    for (const id of ids) streamed += stream.push(id);
    expect(streamed + stream.flush()).toBe(tokenizer.decode(ids, { special: true }));
  });

  test.each(all)('%s: a stream goes on where other ids ended', async (_, open) => {
    const tokenizer = await open();
    const { next } = random(4);
    for (let seed = 1; seed <= 30; seed++) {
      const ids = tokenizer.encode(` ${randomText(seed, 30).replaceAll('\u0000', '')}`);
      const whole = tokenizer.decode(ids);
      let at = next(ids.length + 1);
      // Not in the middle of a character: what was shown before must have been whole.
      while (at < ids.length && tokenizer.decode(ids.subarray(0, at)).includes('\ufffd')) at++;
      const stream = tokenizer.stream({ previous: ids.subarray(0, at) });
      const rest = [...ids.subarray(at)].map((id) => stream.push(id)).join('') + stream.flush();
      expect(tokenizer.decode(ids.subarray(0, at)) + rest).toBe(whole);
    }
  });

  test('no piece of a stream ends inside a character', async () => {
    const tokenizer = await fileTokenizer('tokenizers/gpt2/tokenizer.json');
    const text = '🙂👩‍👩‍👧 日本語 ไทย e\u0301';
    const ids = tokenizer.encode(text);
    const stream = tokenizer.stream();
    const pieces = [...ids].map((id) => stream.push(id));
    expect(pieces.join('')).toBe(text);
    expect(pieces.some((piece) => piece === '')).toBe(true);
    expect(pieces.join('')).not.toContain('\ufffd');
    const cut = tokenizer.stream();
    expect(cut.push(ids[0]!) + cut.flush()).toBe('\ufffd');
  });

  test.each(all)('%s: bytes, token and id agree', async (_, open) => {
    const tokenizer = await open();
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    const wrong: number[] = [];
    for (let id = 0; id < tokenizer.size; id += 13) {
      if (tokenizer.isSpecial(id)) continue;
      const written = tokenizer.token(id);
      const back = written === '' || tokenizer.token(tokenizer.id(written)!) === written;
      if (!back || tokenizer.decode([id]).trim() !== decoder.decode(tokenizer.bytes(id)).trim()) wrong.push(id);
    }
    expect(wrong).toEqual([]);
  });

  test('T5: Unigram from tokenizer.json and spiece.model', async () => {
    const text = 'translate English to German: That is good — naïve ﬁne　ｆｕｌｌ 日 x';
    const fast = await fileTokenizer('tokenizers/t5-small/tokenizer.json');
    const slow = await fileTokenizer('tokenizers/t5-small/spiece.model');
    const ids = fast.encode(text);
    expect(Array.from(ids.slice(0, 9))).toEqual([13959, 1566, 12, 2968, 10, 466, 19, 207, 3]); // the ids of the T5 paper's own example
    expect(ids.at(-1)).toBe(1);
    expect([...slow.encode(text)]).toEqual([...ids]);
    expect(fast.decode(fast.encode('That is good.'))).toBe('That is good.');
  });

  test('BERT: words come back lower-cased, with their spaces', async () => {
    const tokenizer = await modelTokenizer('tokenizers/llama.cpp/ggml-vocab-bert-bge.gguf');
    expect([...tokenizer.encode('Hello, World!')]).toEqual([101, 7592, 1010, 2088, 999, 102]);
    expect(tokenizer.decode(tokenizer.encode('Hello, unbelievable World!'))).toBe('hello, unbelievable world!');
  });

  test('the same ids from every build', async () => {
    const texts = Array.from({ length: 40 }, (_, seed) => randomText(seed + 1, 200));
    for (const file of ['tokenizers/gpt2/tokenizer.json', 'tokenizers/llama2c/tokenizer.model']) {
      const [scalar, simd] = [await fileTokenizer(file, kernelsOf('scalar')), await fileTokenizer(file, kernelsOf('simd'))];
      for (const text of texts) expect(scalar.encode(text)).toEqual(simd.encode(text));
    }
  });
});

describe('odd input', () => {
  test('half a surrogate pair is U+FFFD', async () => {
    const vocab = Object.fromEntries([...'ï¿½ab'].map((char, id) => [char, id]));
    const tokenizer = await fromJson({ decoder: { type: 'ByteLevel' }, pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false }, model: { type: 'BPE', vocab, merges: [] } });
    expect(tokenizer.encode('a\ud800b')).toEqual(tokenizer.encode('a\ufffdb'));
    expect(tokenizer.encode('\udc00')).toEqual(tokenizer.encode('\ufffd'));
    expect(tokenizer.decode(tokenizer.encode('a\ud800'))).toBe('a\ufffd');
  });

  test('nothing gives nothing', async () => {
    const tokenizer = await fromJson(small());
    expect(tokenizer.encode('').length).toBe(0);
    expect(tokenizer.decode([])).toBe('');
    expect(tokenizer.stream().flush()).toBe('');
  });

  test.each([[-1], [1e9], [0.5], [NaN]])('id %d is refused', async (id) => {
    const tokenizer = await fromJson(small());
    for (const use of [() => tokenizer.decode([id]), () => tokenizer.token(id), () => tokenizer.bytes(id)]) {
      expect(use).toThrow(expect.objectContaining({ code: 'bad-option' }));
    }
  });

  test('what is no text is refused', async () => {
    const tokenizer = await fromJson(small());
    expect(() => tokenizer.encode(undefined as unknown as string)).toThrow(expect.objectContaining({ code: 'bad-option' }));
  });
});
