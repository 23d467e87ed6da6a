// What one form of a tokenizer says and the other does not: kept, or refused by its name.
import { describe, expect, it } from 'vitest';
import { specFromGguf } from '../../src/text/gguf.js';
import { ggufMetadata } from '../../src/text/gguf-writer.js';
import { huggingFaceTokenizer } from '../../src/text/huggingface-writer.js';
import { specFromFile } from '../../src/text/index.js';
import { folderLosses, ggufLosses } from '../../src/text/losses.js';
import type { TokenizerSpec } from '../../src/text/spec.js';
import { createTokenizer } from '../../src/text/tokenizer.js';
import { BYTE_LETTERS } from '../../src/text/alphabet.js';
import { kernels } from './support/shared.js';

const SPECIAL = ['<s>', '</s>', '<|im_end|>', '<stop>', '<halt>', '<last>'];
const vocab = Object.fromEntries([...SPECIAL, ...BYTE_LETTERS.map((letter) => String.fromCharCode(letter)), 'he'].map((token, id) => [token, id]));
const added = (content: string, more: object = {}) => ({ id: vocab[content] ?? Object.keys(vocab).length, content, special: true, normalized: false, ...more });
const bytes = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
const template = (...ids: string[]) => ({
  type: 'TemplateProcessing', single: [...ids.map((id) => ({ SpecialToken: { id, type_id: 0 } })), { Sequence: { id: 'A', type_id: 0 } }], pair: [],
  special_tokens: Object.fromEntries(ids.map((id) => [id, { id, ids: [vocab[id]], tokens: [id] }])),
});

function specOf(change: object = {}, files: Record<string, object> = {}): Promise<TokenizerSpec> {
  const json = { normalizer: null, pre_tokenizer: bytes, decoder: bytes, post_processor: null, added_tokens: SPECIAL.map((content) => added(content)), model: { type: 'BPE', vocab, merges: ['h e'] }, ...change };
  const all: Record<string, object> = { 'tokenizer_config.json': { bos_token: '<s>', eos_token: '</s>' }, ...files };
  const encoder = new TextEncoder();
  return specFromFile('tokenizer.json', encoder.encode(JSON.stringify(json)), async (name) => (all[name] ? encoder.encode(JSON.stringify(all[name])) : undefined));
}

describe('to GGUF', () => {
  it.each<[string, object, string]>([
    ['Lowercase', { normalizer: { type: 'Lowercase' } }, 'normalizer Lowercase'],
    ['NFC', { normalizer: { type: 'NFC' } }, 'normalizer NFC'],
    ['NFKC', { normalizer: { type: 'Sequence', normalizers: [{ type: 'NFKC' }] } }, 'normalizer NFKC'],
    ['Strip', { normalizer: { type: 'Strip', strip_left: true, strip_right: false } }, 'normalizer Strip'],
    ['Replace', { normalizer: { type: 'Replace', pattern: { String: 'a' }, content: 'b' } }, 'normalizer Replace'],
    ['lstrip', { added_tokens: [added('<x>', { lstrip: true })] }, 'lstrip of "<x>"'],
    ['rstrip', { added_tokens: [added('<x>', { rstrip: true })] }, 'rstrip of "<x>"'],
    ['single_word', { added_tokens: [added('<x>', { single_word: true })] }, 'single_word of "<x>"'],
    ['a second BOS', { post_processor: template('<s>', '<s>') }, '"<s>" "<s>" before a text'],
    ['another token in front', { post_processor: template('<stop>') }, '"<stop>" before a text'],
    ['a space in front', { pre_tokenizer: { ...bytes, add_prefix_space: true } }, 'add_prefix_space'],
    ['UnicodeScripts', { pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'UnicodeScripts' }, bytes] } }, 'pre-tokenizer UnicodeScripts'],
  ])('%s is refused by its name, and listed', async (_, change, name) => {
    const spec = await specOf(change);
    expect(() => ggufMetadata(spec)).toThrow(expect.objectContaining({ code: 'unsupported', found: expect.stringContaining(name), remedy: expect.stringContaining('--force') }));
    expect(ggufLosses(spec).join('; ')).toContain(name);
  });

  it('writes what is left with force', async () => {
    const spec = await specOf({ normalizer: { type: 'Lowercase' } });
    const again = createTokenizer(specFromGguf(ggufMetadata(spec, 0, true)), kernels);
    expect(again.decode(again.encode('hehe'))).toBe('hehe');
  });

  it('keeps end tokens: EOS, two more, and those with usual names', async () => {
    const ends = ['</s>', '<|im_end|>', '<stop>', '<halt>'].map((token) => vocab[token]);
    const spec = await specOf({}, { 'generation_config.json': { eos_token_id: ends } });
    expect([...createTokenizer(specFromGguf(ggufMetadata(spec)), kernels).stopIds].sort((a, b) => a - b)).toEqual(ends);
    const more = await specOf({}, { 'generation_config.json': { eos_token_id: [...ends, vocab['<last>']] } });
    expect(() => ggufMetadata(more)).toThrow(expect.objectContaining({ found: 'end token "<last>"' }));
  });
});

describe('to a folder', () => {
  it('keeps normalizers, flags, a second BOS, end tokens', async () => {
    const spec = await specOf({ normalizer: { type: 'Sequence', normalizers: [{ type: 'NFKC' }, { type: 'Lowercase' }] }, post_processor: template('<s>', '<s>'), added_tokens: [...SPECIAL.map((content) => added(content)), added('<x>', { lstrip: true, single_word: true })] });
    expect(folderLosses(spec)).toEqual([]);
    const files: Record<string, string> = { ...huggingFaceTokenizer(spec) };
    const encoder = new TextEncoder();
    const again = await specFromFile('tokenizer.json', encoder.encode(files['tokenizer.json']), async (name) => (files[name] ? encoder.encode(files[name]) : undefined));
    const [first, second] = [spec, again].map((one) => createTokenizer(one, kernels));
    for (const text of ['HE ﬁ  <x> he<x>', 'x <x>', '<s>he']) expect([...second!.encode(text, { parseSpecial: true })]).toEqual([...first!.encode(text, { parseSpecial: true })]);
    expect(again.before).toEqual([0, 0]);
  });

  it('refuses the rest by its name', async () => {
    const spec = await specOf({ normalizer: { type: 'Replace', pattern: { String: 'a' }, content: 'b' } });
    expect(() => huggingFaceTokenizer(spec)).toThrow(expect.objectContaining({ code: 'unsupported', found: 'normalizer Replace a' }));
    expect(() => huggingFaceTokenizer(spec, true)).not.toThrow();
  });
});
