// Lengths of text whose products would not fit into 32 bits: one error, and the tokenizer works on.
import { expect, test } from 'vitest';
import { StringList } from '../../src/files/strings.js';
import { createTokenizer } from '../../src/text/index.js';
import type { MergeModel, TokenizerSpec } from '../../src/text/spec.js';
import { SCAN, WHOLE, type Splitter } from '../../src/text/split.js';
import { kernels } from './support/shared.js';

const model: MergeModel = { model: 'merge', symbols: 'bytes', writing: 'plain', merges: [], ignoreMerges: false, fuseUnknown: false };
const specOf = (split: Splitter): TokenizerSpec => ({
  kind: 'bpe', tokens: StringList.from(['a', 'b']), types: Uint8Array.of(1, 1), added: [], normalise: [], prefix: { when: 'never' }, split, model,
  before: [], after: [], dropLeadingSpace: false,
});
const GPT2: Splitter = { steps: [], scanner: { number: SCAN.gpt2, flags: 0 } };
const ONE_PIECE: Splitter = { steps: [(text) => [text]] };

// 89,478,484 is the last length whose scratch memory (48 bytes each and 64) fits into 32 bits.
test.each([['a scanner', GPT2], ['no split', WHOLE], ['pieces found elsewhere', ONE_PIECE]])('a word of 89,478,500 bytes, by %s', { timeout: 120_000 }, (_, split) => {
  const tokenizer = createTokenizer(specOf(split), kernels);
  const text = 'b'.repeat(89_478_500);
  expect(() => tokenizer.encode(text)).toThrow(expect.objectContaining({ name: 'StonechatError', code: 'out-of-memory' }));
  expect([...tokenizer.encode('abba')]).toEqual([0, 1, 1, 0]);
});
