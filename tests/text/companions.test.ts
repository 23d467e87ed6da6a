// Tokens that stand beside tokenizer.json, in transformers' order. The answers are those of transformers 5.24.
import { describe, expect, test } from 'vitest';
import { tokenizerFromFile } from '../../src/text/index.js';
import { BYTE_LETTERS } from '../../src/text/alphabet.js';
import { kernels } from './support/shared.js';

const vocab = Object.fromEntries(['<pad>', '<s>', '</s>', ...BYTE_LETTERS.map((letter) => String.fromCharCode(letter)), 'he'].map((token, id) => [token, id]));
const SIZE = Object.keys(vocab).length;
const added = ['<pad>', '<s>', '</s>'].map((content, id) => ({ id, content, special: true, normalized: false }));
const bytes = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
const utf8 = new TextEncoder();
const token = (content: string, more: object = {}) => ({ content, lstrip: false, rstrip: false, normalized: false, single_word: false, special: true, ...more });

/** A folder: its tokenizer.json and what lies beside it. */
function open(files: Record<string, object>, change: object = {}) {
  const json = { added_tokens: added, normalizer: null, pre_tokenizer: bytes, decoder: bytes, post_processor: null, model: { type: 'BPE', vocab, merges: ['h e'] }, ...change };
  return tokenizerFromFile('tokenizer.json', utf8.encode(JSON.stringify(json)), kernels, async (name) => (files[name] ? utf8.encode(JSON.stringify(files[name])) : undefined));
}

const config = (more: object) => ({ 'tokenizer_config.json': { eos_token: '</s>', ...more } });
const single = async (files: Record<string, object>, text: string) => [...(await open(files)).encode(text, { addSpecial: false, parseSpecial: true })];

describe('added tokens', () => {
  test.each<[string, Record<string, object>]>([
    ['added_tokens_decoder', config({ added_tokens_decoder: { [SIZE]: token('<x>') } })],
    ['added_tokens.json', { ...config({}), 'added_tokens.json': { '<x>': SIZE } }],
    ['a role', config({ bos_token: '<x>' })],
    ['a role of the model', config({ image_token: '<x>' })],
    ['a role in special_tokens_map.json', { ...config({}), 'special_tokens_map.json': { bos_token: token('<x>') } }],
    ['additional_special_tokens', config({ additional_special_tokens: ['<x>'] })],
    ['extra_special_tokens', config({ extra_special_tokens: [token('<x>')] })],
    ['extra_special_tokens by name', config({ extra_special_tokens: { image: '<x>' } })],
  ])('%s', async (_, files) => {
    expect(await single(files, '<x>')).toEqual([SIZE]);
  });

  test('the order of ids: added_tokens_decoder by id, roles, the rest', async () => {
    const files = config({ bos_token: '<b>', extra_special_tokens: ['<e>'], added_tokens_decoder: { [SIZE + 7]: token('<y>'), [SIZE]: token('<x>') } });
    expect(await single(files, '<x><y><b><e>')).toEqual([SIZE, SIZE + 1, SIZE + 2, SIZE + 3]);
  });

  test('with added_tokens_decoder, special_tokens_map.json does not count', async () => {
    const files = { ...config({ added_tokens_decoder: { [SIZE]: token('<x>') } }), 'special_tokens_map.json': { eos_token: '<x>' } };
    expect((await open(files)).eos).toBe(2);
    expect((await open({ ...config({}), 'special_tokens_map.json': { eos_token: '<s>' } })).eos).toBe(1);
  });

  test('what has a role is special; the flags of the first list hold', async () => {
    const files = config({ eos_token: '<x>', added_tokens_decoder: { [SIZE]: token('<x>', { special: false, rstrip: true }) }, extra_special_tokens: [token('<x>', { lstrip: true })] });
    const tokenizer = await open(files);
    expect([tokenizer.isSpecial(SIZE), tokenizer.eos]).toEqual([true, SIZE]);
    expect([...tokenizer.encode(' <x> he', { parseSpecial: true })]).toEqual([vocab['\u0120'], SIZE, vocab['he']]);
  });

  test('no id that config.json has no room for', async () => {
    const tokenizer = await open({ ...config({ pad_token: '[PAD]', extra_special_tokens: ['<x>'] }), 'config.json': { vocab_size: SIZE } });
    expect(tokenizer.size).toBe(SIZE);
  });
});

describe('end tokens', () => {
  const none = { 'tokenizer_config.json': {} };
  test.each<[string, Record<string, object>, number[]]>([
    ['generation_config.json', { ...none, 'generation_config.json': { eos_token_id: [2, 3] }, 'config.json': { eos_token_id: 4 } }, [2, 3]],
    ['config.json, a number', { ...none, 'config.json': { eos_token_id: 3 } }, [2, 3]],
    ['config.json, a list', { ...none, 'config.json': { eos_token_id: [3, 4] } }, [2, 3, 4]],
    ['config.json of a model with pictures', { ...none, 'config.json': { text_config: { eos_token_id: [3] } } }, [2, 3]],
    ['added_tokens_decoder', config({ eos_token: '<|im_end|>', added_tokens_decoder: { [SIZE]: token('<|im_end|>') } }), [2, SIZE]],
  ])('%s', async (_, files, ends) => {
    expect([...(await open(files)).stopIds].sort((a, b) => a - b)).toEqual(ends); // </s> by its name
  });
});

test('tokens that begin with U+FEFF keep it', async () => {
  const text = '\ufeffhe\ufeff';
  const tokenizer = await open({}, {});
  const ids = tokenizer.encode(text);
  const stream = tokenizer.stream();
  expect([tokenizer.decode(ids), Array.from(ids, (id) => stream.push(id)).join('') + stream.flush()]).toEqual([text, text]);
  const words = { pre_tokenizer: { type: 'WhitespaceSplit' }, decoder: { type: 'Fuse' }, model: { type: 'WordLevel', unk_token: '<unk>', vocab: { '<unk>': 0, '\ufeffhe': 1 } }, added_tokens: [] };
  const whole = await open({}, words);
  expect([whole.decode([1]), new TextDecoder('utf-8', { ignoreBOM: true }).decode(whole.bytes(1))]).toEqual(['\ufeffhe', '\ufeffhe']);
});
