import { expect, it } from 'vitest';
import { StringList } from '../../src/files/strings.js';
import { specFromGguf } from '../../src/text/gguf.js';
import { mayBeNamed, STOP_NAMES } from '../../src/text/special.js';

it('every token with the name of an end is found, wherever it stands', () => {
  const tokens = ['', ...[...STOP_NAMES].flatMap((name) => ['a<', name, `x${name}`, '_', '\0<']), '_<', '['.repeat(0x3c), '<'.repeat(0x5b), '<'];
  const found = new Set(mayBeNamed(StringList.from(tokens)));
  expect(tokens.filter((_, id) => found.has(id))).toEqual(tokens.filter((token) => /^(<|_<|\[)/.test(token)));
  expect([...STOP_NAMES].filter((name) => !/^(<|_<|\[)/.test(name))).toEqual([]);
});

it.each([
  ['none given', undefined, [1, 3, 6, 1, 1, 3, 1]],
  ['given', [7, 1, 6, 6, 4, 4, 2, 3], [1, 3, 6, 6, 4, 3, 2]],
  ['given, and wrong', [6, 6, 1, 1, -1, 300, 5, 3], [1, 3, 1, 1, 1, 3, 5]],
])('types of tokens: %s', (_, given, expected) => {
  const tokens = StringList.from(['a', '<eos>', '<0x0A>', '<0xfe>', '<', '[EOS]', 'b']);
  const metadata = new Map<string, never>([['tokenizer.ggml.model', 'llama'], ['tokenizer.ggml.tokens', tokens], ...(given ? [['tokenizer.ggml.token_type', new Int32Array(given)] as const] : [])] as never);
  expect([...specFromGguf(metadata).types]).toEqual(expected);
});
