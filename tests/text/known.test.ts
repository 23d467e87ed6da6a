import { describe, expect, test } from 'vitest';
import { specFromFile } from '../../src/text/index.js';
import { random } from '../files/support/random.js';

const ROUNDS = Number(process.env.STONECHAT_FUZZ ?? 150);
const utf8 = new TextEncoder();
type Random = ReturnType<typeof random>['next'];
const whole = (next: Random, most: number) => next(most);

/** Different tokens of 1 to `longest` bytes, of which one has them all; letters, spaces, braces, quotes, digits, line ends. */
function tokens(next: Random, longest: number): string[] {
  const letters = [...'abcdefgh {}"[]0123456789+/=\n\r\t<>'];
  const one = (length: number) => Array.from({ length }, () => letters[whole(next, letters.length)]).join('');
  return ['<unk>', '<s>', '</s>', ...new Set([one(longest), ...Array.from({ length: 5 + whole(next, 40) }, () => one(1 + whole(next, longest)))])];
}

function llama2c(next: Random, longest: number): Uint8Array {
  const list = tokens(next, longest).map((token) => utf8.encode(token));
  const view = new DataView(new ArrayBuffer(4 + list.reduce((sum, { length }) => sum + 8 + length, 0)));
  view.setUint32(0, Math.max(...list.map(({ length }) => length)), true);
  let at = 4;
  for (const token of list) {
    view.setFloat32(at, -whole(next, 1000), true);
    view.setUint32(at + 4, token.length, true);
    new Uint8Array(view.buffer).set(token, at + 8);
    at += 8 + token.length;
  }
  return new Uint8Array(view.buffer);
}

function sentencePiece(next: Random, longest: number): Uint8Array {
  const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)]);
  const field = (number: number, content: Iterable<number>) => [(number << 3) | 2, ...varint([...content].length), ...content];
  const piece = (text: string, id: number) => field(1, [...field(1, utf8.encode(text)), 0x15, ...new Uint8Array(new Float32Array([-id]).buffer), 0x18, id === 0 ? 2 : id < 3 ? 3 : 1]);
  return Uint8Array.from([...tokens(next, longest).flatMap(piece), ...field(2, [0x18, 2]), ...field(3, [0x18, 1])]);
}

/** Ranks: every byte, then pairs; 50256 … of them in all, by which r50k is known. */
function tiktoken(next: Random): Uint8Array {
  const start = whole(next, 256);
  const bytes = Array.from({ length: 256 }, (_, i) => [(start + i) % 256]);
  const pairs = Array.from({ length: 50000 }, (_, i) => [i >> 8, i & 255]);
  return utf8.encode([...bytes, ...pairs].map((token, rank) => `${Buffer.from(token).toString('base64')} ${rank}\n`).join(''));
}

function json(next: Random): Uint8Array {
  const list = tokens(next, 12);
  const text = JSON.stringify({ model: { type: 'BPE', vocab: Object.fromEntries(list.map((token, id) => [token, id])), merges: [] } }, null, whole(next, 3) || undefined);
  return utf8.encode(`${next(3) === 0 ? '\ufeff' : ''}${' \n\t\r'.repeat(whole(next, 3))}${text}`);
}

const NAMES = ['buffer', 'tokenizer', 'tokenizer.bin', 'tokenizer.model', 'vocabulary.dat'];
const kindOf = async (name: string, bytes: Uint8Array) => (await specFromFile(name, bytes, async () => undefined)).kind;

describe('a tokenizer file is known by its own structure', () => {
  test('llama2.c, whatever its longest token', async () => {
    for (let longest = 8; longest <= 8 + ROUNDS; longest++) expect(await kindOf(NAMES[longest % NAMES.length]!, llama2c(random(longest).next, longest)), String(longest)).toBe('spm');
  });

  test('SentencePiece', async () => {
    for (let seed = 1; seed <= ROUNDS; seed++) expect(await kindOf(NAMES[seed % NAMES.length]!, sentencePiece(random(seed).next, 1 + (seed % 300))), String(seed)).toBe('spm');
  });

  test('tokenizer.json, with a byte-order mark and white space in front', async () => {
    for (let seed = 1; seed <= ROUNDS; seed++) expect(await kindOf(NAMES[seed % NAMES.length]!, json(random(seed).next)), String(seed)).toBe('bpe');
  });

  test('tiktoken', async () => {
    for (let seed = 1; seed <= 5; seed++) expect(await kindOf(`r50k_base${seed}`, tiktoken(random(seed).next)), String(seed)).toBe('tiktoken');
  });

  test.each([['tokenizer.bin', 'bad-file'], ['tokenizer.model', 'bad-file'], ['notes', 'unsupported']])('%s that is none of them: %s', async (name, code) => {
    await expect(kindOf(name, utf8.encode('The quick brown fox'))).rejects.toMatchObject({ code });
  });
});
