import { Tokenizer as HuggingFace } from '@huggingface/tokenizers';
import { encode as encodeCl100k } from 'gpt-tokenizer/encoding/cl100k_base';
import { encode as encodeO200k } from 'gpt-tokenizer/encoding/o200k_base';
import { get_encoding, type TiktokenEncoding } from 'tiktoken';
import { describe, expect, test } from 'vitest';
import { fileTokenizer, hasShared, noShared, readSharedJson } from './support/shared.js';
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
    for (const text of texts()) {
      const ids = theirs.encode(text, { add_special_tokens: false }).ids;
      expect([...ours.encode(text, { addSpecial: false })], JSON.stringify(text)).toEqual(ids);
      expect(ours.decode(ids), JSON.stringify(text)).toBe(theirs.decode(ids, { skip_special_tokens: true, clean_up_tokenization_spaces: false }));
    }
  });
});
