import { Tokenizer as HuggingFace } from '@huggingface/tokenizers';
import { encode as encodeCl100k } from 'gpt-tokenizer/encoding/cl100k_base';
import { encode as encodeO200k } from 'gpt-tokenizer/encoding/o200k_base';
import { get_encoding, type TiktokenEncoding } from 'tiktoken';
import { describe, expect, test } from 'vitest';
import { tokenizerFromFile } from '../../src/text/index.js';
import { fileTokenizer, hasShared, kernels, modelTokenizer, noShared, readSharedJson } from './support/shared.js';
import { randomText } from './support/random-text.js';

const FUZZ = Number(process.env.STONECHAT_FUZZ ?? 120);

/**
 * What the JavaScript rivals read differently from the originals (Rust, Oniguruma): their \s has U+FEFF and lacks
 * U+0085, and their case folding leaves out U+017F. Lone control characters and `<|` keep special tokens out.
 */
const common = (text: string) => text.replaceAll(/[\ufeff\u0085\u017f]|<\||<s>/g, '').replaceAll('\0', '');
const texts = (change: (text: string) => string = common) => Array.from({ length: FUZZ }, (_, i) => change(randomText(i + 1, 1 + ((i * 7) % 120))));

describe.skipIf(!hasShared)(`the same ids as other tokenizers on random multilingual text (${noShared} otherwise)`, () => {
  test.each(['gpt2', 'r50k_base', 'p50k_base', 'o200k_base'])('tiktoken: %s', async (name) => {
    const ours = await fileTokenizer(`tokenizers/tiktoken/${name === 'gpt2' ? 'r50k_base' : name}.tiktoken`);
    const theirs = get_encoding(name as TiktokenEncoding);
    for (const text of texts((all) => all)) expect([...ours.encode(text)], JSON.stringify(text)).toEqual([...theirs.encode_ordinary(text)]);
    theirs.free();
  });

  // The npm package still has the older pattern, without `\s++$`: white space at the end of a text may differ.
  test('tiktoken: cl100k_base', async () => {
    const ours = await fileTokenizer('tokenizers/tiktoken/cl100k_base.tiktoken');
    const theirs = get_encoding('cl100k_base');
    for (const text of texts((all) => `${all}.`)) expect([...ours.encode(text)], JSON.stringify(text)).toEqual([...theirs.encode_ordinary(text)]);
    theirs.free();
  });

  test.each([['cl100k_base', encodeCl100k], ['o200k_base', encodeO200k]] as const)('gpt-tokenizer: %s', async (name, encode) => {
    const ours = await fileTokenizer(`tokenizers/tiktoken/${name}.tiktoken`);
    for (const text of texts()) expect([...ours.encode(text)], JSON.stringify(text)).toEqual(encode(text));
  });

  test.each(['tokenizers/gpt2', 'tokenizers/gpt-neox-20b', 'models/hf/TinyStories-656K', 'tokenizers/t5-small'])('@huggingface/tokenizers: %s', async (folder) => {
    const ours = await fileTokenizer(`${folder}/tokenizer.json`);
    const theirs = new HuggingFace(readSharedJson<object>(`${folder}/tokenizer.json`), {});
    // Rust looks graphemes up in the character map of T5, the JavaScript library normalises in its own way: marks come out otherwise.
    const usual = (text: string) => folder !== 'tokenizers/t5-small' || !/\p{M}/u.test(text);
    for (const text of texts().filter(usual)) {
      const ids = theirs.encode(text, { add_special_tokens: false }).ids;
      expect([...ours.encode(text, { addSpecial: false })], JSON.stringify(text)).toEqual(ids);
      expect(ours.decode(ids), JSON.stringify(text)).toBe(theirs.decode(ids, { skip_special_tokens: true, clean_up_tokenization_spaces: false }));
    }
  });

  // Pipelines of families that are not here, on vocabularies that are. Left out is where the JavaScript library differs
  // from the Rust one: Metaspace does not split, MergedWithNext does not merge, Digits knows Nd only, Punctuation always takes runs, unknown characters fuse across pieces.
  const metaspace = (more: object) => ({ normalizer: null, pre_tokenizer: { type: 'Metaspace', replacement: '▁', ...more }, decoder: { type: 'Metaspace', replacement: '▁', ...more } });
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, use_regex: false };
  const split = (Regex: string, behavior: string, invert = false) => ({ type: 'Split', pattern: { Regex }, behavior, invert });
  const stories = 'models/hf/TinyStories-656K';
  const gpt2 = 'tokenizers/gpt2';
  const variants: [string, string, Record<string, unknown>][] = [
    ['Metaspace always', stories, metaspace({ prepend_scheme: 'always', split: false })],
    ['Metaspace first, whole', stories, metaspace({ prepend_scheme: 'first', split: false })],
    ['Metaspace never', stories, metaspace({ prepend_scheme: 'never', split: false })],
    ['Gemma', stories, { normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '▁' }, pre_tokenizer: { type: 'Split', pattern: { String: ' ' }, behavior: 'MergedWithPrevious', invert: false } }],
    ['lower case, punctuation', gpt2, { normalizer: { type: 'Lowercase' }, pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Punctuation', behavior: 'Contiguous' }, byteLevel] } }],
    ['Digits, ByteLevel', gpt2, { pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, { type: 'ByteLevel', add_prefix_space: false, use_regex: true }] } }],
    ['Qwen 2', gpt2, { normalizer: { type: 'NFC' }, pre_tokenizer: { type: 'Sequence', pretokenizers: [split("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+", 'Isolated'), byteLevel] } }],
    ['a removed pattern, inverted', gpt2, { pre_tokenizer: { type: 'Sequence', pretokenizers: [split('\\p{L}+|[^\\p{L}]+', 'Removed', true), byteLevel] } }],
    ['ByteLevel with a space in front', gpt2, { pre_tokenizer: { type: 'ByteLevel', add_prefix_space: true, use_regex: true } }],
    ['spaces removed', gpt2, { pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, byteLevel] } }],
    ['NFKC and stripped', gpt2, { normalizer: { type: 'Sequence', normalizers: [{ type: 'NFKC' }, { type: 'Strip', strip_left: true, strip_right: true }] } }],
  ];
  test.each(variants)('@huggingface/tokenizers: %s', async (_, folder, changes) => {
    const json = { ...readSharedJson<object>(`${folder}/tokenizer.json`), ...changes };
    const ours = await tokenizerFromFile('tokenizer.json', new TextEncoder().encode(JSON.stringify(json)), kernels);
    const theirs = new HuggingFace(json, {});
    for (const text of texts((all) => common(all).replaceAll(/(?![0-9])\p{N}/gu, '')).slice(0, FUZZ / 2)) {
      expect([...ours.encode(text, { addSpecial: false })], JSON.stringify(text)).toEqual(theirs.encode(text, { add_special_tokens: false }).ids);
    }
  });

  test('@huggingface/tokenizers: BERT, from the vocabulary of bge', async () => {
    const gguf = await modelTokenizer('tokenizers/llama.cpp/ggml-vocab-bert-bge.gguf');
    const tokens = Array.from({ length: gguf.size }, (_, id) => gguf.token(id));
    const written = tokens.map((token) => (gguf.isSpecial(gguf.id(token)!) ? token : token.startsWith('▁') ? token.slice(1) : `##${token}`));
    const json = {
      added_tokens: written.flatMap((content, id) => (gguf.isSpecial(id) ? [{ id, content, special: true, normalized: false }] : [])),
      normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
      pre_tokenizer: { type: 'BertPreTokenizer' },
      post_processor: { type: 'BertProcessing', sep: ['[SEP]', 102], cls: ['[CLS]', 101] },
      decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
      model: { type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 100, vocab: Object.fromEntries(written.map((token, id) => [token, id])) },
    };
    const ours = await tokenizerFromFile('tokenizer.json', new TextEncoder().encode(JSON.stringify(json)), kernels);
    const theirs = new HuggingFace(json, {});
    for (const text of texts((all) => common(all).replaceAll(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\ufffd]/gu, ' '))) {
      const ids = theirs.encode(text).ids;
      expect([...ours.encode(text)], JSON.stringify(text)).toEqual(ids);
      expect([...gguf.encode(text)], JSON.stringify(text)).toEqual(ids);
    }
  });
});
