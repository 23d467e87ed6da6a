import { describe, expect, test } from 'vitest';
import { StonechatError } from '../../src/errors.js';
import { tokenizerFromFile } from '../../src/text/index.js';
import { createTokenizer } from '../../src/text/tokenizer.js';
import { specFromGguf } from '../../src/text/gguf.js';
import type { MetadataValue } from '../../src/files/types.js';
import { mutate } from '../files/support/mutate.js';
import { random } from '../files/support/random.js';
import { hasShared, kernels, noShared, readShared } from './support/shared.js';

const FUZZ = Number(process.env.STONECHAT_FUZZ ?? 120);
const utf8 = new TextEncoder();

/** Opens and uses a tokenizer: it works, or it is refused by a StonechatError. Returns whether it works. */
async function openOrRefuse(open: () => unknown): Promise<boolean> {
  try {
    const tokenizer = (await open()) as Awaited<ReturnType<typeof tokenizerFromFile>>;
    const ids = tokenizer.encode('Hello  wörld, 1234 日本🙂\n</s>', { parseSpecial: true });
    tokenizer.decode(ids);
    tokenizer.decode(ids, { special: true });
    for (let id = 0; id < Math.min(tokenizer.size, 300); id++) tokenizer.bytes(id);
    return true;
  } catch (cause) {
    if (!(cause instanceof StonechatError)) throw cause;
    expect(cause.expected && cause.found && cause.remedy).toBeTruthy();
    return false;
  }
}

/** Small files of every kind, so that mutations hit structure rather than bulk. */
function smallJson(): Uint8Array {
  const text = new TextDecoder().decode(readShared('models/hf/TinyStories-656K/tokenizer.json'));
  const json = JSON.parse(text) as { model: { vocab: Record<string, number>; merges: string[] } };
  json.model.vocab = Object.fromEntries(Object.entries(json.model.vocab).slice(0, 120));
  json.model.merges = json.model.merges.slice(0, 10);
  return utf8.encode(JSON.stringify(json));
}

const unigramJson = () => utf8.encode(JSON.stringify({
  added_tokens: [{ id: 0, content: '</s>', special: true }], normalizer: { type: 'Sequence', normalizers: [{ type: 'NFKC' }, { type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' }] },
  pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first' }, decoder: { type: 'Metaspace' },
  model: { type: 'Unigram', unk_id: 1, vocab: [['</s>', 0], ['<unk>', 0], ['▁', -2], ['a', -3], ['Hello', -1.5]] },
}));

const wholeLines = (bytes: Uint8Array) => bytes.slice(0, bytes.lastIndexOf(10) + 1);

/** A SentencePiece model of its own: pieces, trainer_spec { model_type }, normalizer_spec { add_dummy_prefix }. */
function smallProto(): Uint8Array {
  const field = (number: number, content: Uint8Array) => [(number << 3) | 2, content.length, ...content];
  const piece = (text: string, score: number, type: number) =>
    field(1, Uint8Array.from([...field(1, utf8.encode(text)), 0x15, ...new Uint8Array(new Float32Array([score]).buffer), 0x18, type]));
  const pieces = [piece('<unk>', 0, 2), piece('<s>', 0, 3), piece('</s>', 0, 3), piece('<0x0A>', 0, 6), ...['▁', 'H', 'e', 'l', 'He', 'll', '▁H'].map((text, i) => piece(text, -i, 1))];
  return Uint8Array.from([...pieces.flat(), ...field(2, Uint8Array.of(0x18, 2)), ...field(3, Uint8Array.of(0x18, 1, 0x20, 0))]);
}

const seeds: [string, () => Uint8Array][] = [
  ['tokenizer.json', smallJson],
  ['tokenizer.json (unigram)', unigramJson],
  ['tokenizer.bin', () => readShared('models/llama2c/stories260K/tok512.bin')],
  ['tokenizer.model', smallProto],
  ['r50k_base.tiktoken', () => wholeLines(readShared('tokenizers/tiktoken/r50k_base.tiktoken').slice(0, 4000))],
];

describe.skipIf(!hasShared)(`damaged tokenizer files (${noShared} otherwise)`, () => {
  test.each(seeds)('%s: a StonechatError or a tokenizer that works', async (label, read) => {
    const bytes = read();
    const name = label.replace(/ .*/, '');
    const donors = seeds.map(([, other]) => other());
    let works = 0;
    for (let seed = 1; seed <= FUZZ; seed++) {
      const damaged = mutate(bytes, random(seed * 977), donors);
      works += Number(await openOrRefuse(() => tokenizerFromFile(name, damaged, kernels)));
    }
    expect(works).toBeLessThan(FUZZ);
    expect(await openOrRefuse(() => tokenizerFromFile(name, bytes, kernels))).toBe(true);
  });
});

describe('damaged GGUF metadata', () => {
  const base = (model: string): [string, MetadataValue][] => [
    ['tokenizer.ggml.model', model],
    ['tokenizer.ggml.pre', 'llama-bpe'],
    ['tokenizer.ggml.tokens', ['<unk>', '<s>', '</s>', 'a', 'b', 'ab', '▁a', 'Ġ', '<0x0A>', 'H', 'e']],
    ['tokenizer.ggml.scores', Float32Array.of(0, 0, 0, -1, -2, -3, -4, -5, 0, -1, -1)],
    ['tokenizer.ggml.token_type', Int32Array.of(2, 3, 3, 1, 1, 1, 1, 1, 6, 1, 1)],
    ['tokenizer.ggml.merges', ['a b', 'Ġ a', 'x']],
    ['tokenizer.ggml.bos_token_id', 1],
    ['tokenizer.ggml.eos_token_id', 2],
    ['tokenizer.ggml.precompiled_charsmap', Uint8Array.of(8, 0, 0, 0, 0, 4, 0, 0, 65, 1, 0, 0, 66, 0)],
    ['tokenizer.chat_template', '{{ messages }}'],
  ];
  const values: MetadataValue[] = ['', 'x', 0, -1, 1e9, NaN, 3n, true, [], ['a'], ['', '', ''], Float32Array.of(NaN, Infinity), Int32Array.of(-5, 99), new Uint8Array(3), BigInt64Array.of(1n)];

  test.each(['llama', 'gpt2', 'bert', 't5', 'rwkv', 'gemma4'])('%s', async (model) => {
    expect(await openOrRefuse(() => createTokenizer(specFromGguf(new Map(base(model))), kernels))).toBe(true);
    for (const [key] of base(model)) {
      for (const value of values) {
        await openOrRefuse(() => createTokenizer(specFromGguf(new Map([...base(model), [key, value]])), kernels));
      }
      await openOrRefuse(() => createTokenizer(specFromGguf(new Map(base(model).filter(([name]) => name !== key))), kernels));
    }
  });
});

describe('one clear error each', () => {
  const open = (name: string, content: string | Uint8Array) => tokenizerFromFile(name, typeof content === 'string' ? utf8.encode(content) : content, kernels);
  test.each([
    ['tokenizer.json', '{', 'bad-file'],
    ['tokenizer.json', '{"model":{"type":"Nope","vocab":{"a":0}}}', 'unsupported'],
    ['tokenizer.json', '{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}', 'bad-file'],
    ['tokenizer.json', '{"model":{"type":"BPE","vocab":{"a":0},"merges":[1]}}', 'bad-file'],
    ['tokenizer.json', '{"model":{"type":"BPE","vocab":{"a":0},"merges":[],"dropout":0.1}}', 'unsupported'],
    ['tokenizer.json', '{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Nope"}}', 'unsupported'],
    ['tokenizer.json', '{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"("},"behavior":"Isolated"}}', 'unsupported'],
    ['vocab.json', '{"a":0}', 'not-found'],
    ['tokenizer.bin', '', 'bad-file'],
    ['tokenizer.model', Uint8Array.of(10, 200), 'bad-file'],
    ['x.tiktoken', 'IQ== 0\nIg==', 'bad-file'],
    ['x.tiktoken', 'IQ== 0\nIg== 1\n', 'unsupported'],
    ['notes.txt', 'hello', 'unsupported'],
  ] as const)('%s %j: %s', async (name, content, code) => {
    await expect(open(name, content)).rejects.toMatchObject({ name: 'StonechatError', code });
  });
});
