// Tokenizer files that make a text grow, or search, without end.
import { describe, expect, test } from 'vitest';
import { StringList } from '../../src/files/strings.js';
import { createTokenizer, tokenizerFromFile } from '../../src/text/index.js';
import { TOKEN, type TokenizerSpec } from '../../src/text/spec.js';
import { kernels } from './support/shared.js';

const open = (json: object) => tokenizerFromFile('tokenizer.json', new TextEncoder().encode(JSON.stringify(json)), kernels);
const file = (more: object) => ({
  version: '1.0', added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null,
  model: { type: 'WordLevel', vocab: { a: 0, '<unk>': 1 }, unk_token: '<unk>' }, ...more,
});
const replace = (pattern: object, content: string) => ({ type: 'Replace', pattern, content });
const refused = expect.objectContaining({ name: 'StonechatError', code: 'unsupported' });

describe('growth', () => {
  test.each([['a literal', { String: 'a' }], ['a pattern', { Regex: 'a' }]])('twenty rules of %s', async (_, pattern) => {
    const normalizer = { type: 'Sequence', normalizers: Array.from({ length: 20 }, () => replace(pattern, 'aaaa')) };
    const tokenizer = await open(file({ normalizer }));
    expect(() => tokenizer.encode('a')).toThrow(refused);
  });

  test('one rule that puts a megabyte everywhere', async () => {
    const tokenizer = await open(file({ normalizer: replace({ Regex: '' }, 'x'.repeat(1 << 20)) }));
    expect(() => tokenizer.encode('a'.repeat(100_000))).toThrow(refused);
  });

  test('twenty decoders', async () => {
    const decoder = { type: 'Sequence', decoders: Array.from({ length: 20 }, () => replace({ String: 'a' }, 'aaaa')) };
    const tokenizer = await open(file({ decoder }));
    expect(() => tokenizer.decode([0, 0])).toThrow(refused);
  });

  test('what Unicode itself makes longer is no matter: a megabyte of U+FDFA', { timeout: 60_000 }, async () => {
    const tokenizer = await open(file({ normalizer: { type: 'NFKC' }, pre_tokenizer: { type: 'Whitespace' } }));
    expect(tokenizer.encode('\ufdfa'.repeat(100_000)).length).toBeGreaterThan(100_000);
  });
});

describe('search', () => {
  const prefixes = Array.from({ length: 3000 }, (_, i) => 'a'.repeat(i + 1));

  test('a unigram model of three thousand prefixes of each other', { timeout: 60_000 }, async () => {
    const tokenizer = await open(file({ model: { type: 'Unigram', unk_id: 0, vocab: [['<unk>', 0], ...prefixes.map((token, i) => [token, -1 - i / 1000])] } }));
    expect(tokenizer.encode('a'.repeat(1000)).length).toBeGreaterThan(0);
    expect(() => tokenizer.encode('a'.repeat(1_000_000))).toThrow(refused);
  });

  test('word pieces whose longest is never there', { timeout: 60_000 }, async () => {
    const vocab = Object.fromEntries(['[UNK]', 'a', '##a', 'b'.repeat(3000)].map((token, id) => [token, id]));
    const tokenizer = await open(file({ model: { type: 'WordPiece', vocab, unk_token: '[UNK]', max_input_chars_per_word: 1_000_000_000 } }));
    expect(() => tokenizer.encode('a'.repeat(1_000_000))).toThrow(refused);
  });

  test('greedy tokens that begin each other', { timeout: 60_000 }, () => {
    const tokens = ['a', `${'a'.repeat(3000)}b`];
    const spec: TokenizerSpec = {
      kind: 'rwkv', tokens: StringList.from(tokens), types: new Uint8Array(2).fill(TOKEN.normal), added: [], normalise: [], prefix: { when: 'never' }, split: { steps: [] },
      model: { model: 'greedy', tokenBytes: tokens.map((token) => new TextEncoder().encode(token)) }, before: [], after: [], dropLeadingSpace: false,
    };
    const tokenizer = createTokenizer(spec, kernels);
    expect(tokenizer.encode('a'.repeat(2000)).length).toBe(2000);
    expect(() => tokenizer.encode('a'.repeat(1_000_000))).toThrow(refused);
  });

  test('spaces in front of a token that takes them, and one word of a million letters', { timeout: 60_000 }, async () => {
    const added_tokens = [{ id: 1, content: '<x>', special: false, lstrip: true, rstrip: true, single_word: false, normalized: false }];
    const tokenizer = await open(file({ added_tokens, model: { type: 'BPE', vocab: { a: 0, '<x>': 1, aa: 2, ' ': 3 }, merges: ['a a'] } }));
    expect([...tokenizer.encode(`${' '.repeat(200_000)}<x>${' '.repeat(200_000)}<x>`.repeat(2))].length).toBe(4);
    expect(tokenizer.encode('a'.repeat(1_000_000)).length).toBe(500_000);
  });
});
