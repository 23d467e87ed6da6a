// Every valid file is known as its own, whatever bytes it begins with; and a header costs a small multiple of its bytes.
import { describe, expect, test } from 'vitest';
import { openModel } from '../../src/files/index.js';
import { sniff } from '../../src/files/sniff.js';
import { bufferSource } from '../../src/files/sources.js';
import { expectRefusal } from './support/expect.js';
import { type Entry, writeGguf } from './support/gguf-writer.js';
import { type Sizes, writeLlama2c } from './support/llama2c-writer.js';
import { random } from './support/random.js';
import { concat, withHeader } from './support/safetensors-writer.js';
import { json, LLAMA_CONFIG } from './support/seeds.js';

const ROUNDS = Number(process.env.STONECHAT_FUZZ ?? 300);
const int32 = (numbers: readonly number[]) => new Uint8Array(Int32Array.from(numbers).buffer);

describe('valid files are known as their own', () => {
  test('llama2.c v0 of every width, also of those that begin as a pickle does', () => {
    for (let dim = 2; dim <= 8192; dim += 2) {
      const head = concat([int32([dim, dim * 4, 6, 1, 1, -32000, 256]), new Uint8Array(40)]);
      expect(sniff(head, 'm.bin'), String(dim)).toBe('llama2c');
    }
  });

  test('random sizes of every version', () => {
    const { next } = random(5);
    for (let i = 0; i < ROUNDS; i++) {
      const heads = 1 + next(16), kvHeads = [1, heads][next(2)]!;
      const sizes = [2 * heads * (1 + next(600)), 1 + next(1 << 16), 1 + next(200), heads, kvHeads, [1, -1][next(2)]! * (1 + next(300_000)), 1 + next(1 << 20)];
      expect(sniff(concat([int32(sizes), new Uint8Array(100)]), 'm.bin')).toBe('llama2c');
      expect(sniff(concat([int32([0x616b3432, 1 + next(2), ...sizes.map(Math.abs)]), new Uint8Array(220)]), 'm.bin')).toBe('llama2c');
      const text = `{"a":"${'x'.repeat(next(3000))}"}`.padEnd(next(3000), ' ');
      expect(sniff(concat([new Uint8Array(new BigUint64Array([BigInt(text.length)]).buffer), new TextEncoder().encode(text)]), 'm.safetensors')).toBe('safetensors');
      expect(sniff(concat([int32([0x46554747, 2 + next(2), next(1e6), 0, next(1e6), 0]), new Uint8Array(20)]), 'm.gguf')).toBe('gguf');
    }
  });

  test('a whole one of the width of a pickle', async () => {
    const sizes: Sizes = { dim: 640, hidden: 8, layers: 1, heads: 2, kvHeads: 1, vocabulary: 4, context: 4 };
    expect((await openModel(writeLlama2c(sizes, 0))).format).toBe('llama2c');
  });

  test('a pickle is still told', async () => {
    await expectRefusal(() => openModel(concat([Uint8Array.of(0x80, 2), new TextEncoder().encode('}q\u0001(X\u0004\u0000\u0000\u0000'.padEnd(60, 'x'))])), 'unsupported', /pickle/);
  });
});

/** Megabytes of memory that a call takes beside what there was. */
async function memoryOf(call: () => Promise<unknown>): Promise<number> {
  const before = process.memoryUsage().rss;
  await call();
  return (process.memoryUsage().rss - before) / 2 ** 20;
}

describe('headers that swell', () => {
  const gguf = (key: string, entry: Entry) => writeGguf({ 'general.architecture': ['string', 'llama'], [key]: entry });
  /** An array's elements without the writer's work: type, count, bytes. */
  function swollen(type: number, count: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    const small = gguf('a', ['array', 'u8', [1]]);
    const view = new DataView(small.buffer, small.byteOffset);
    const place = new TextDecoder('latin1').decode(small).indexOf('a\t\0\0\0') + 5;
    view.setUint32(place, type, true);
    view.setBigUint64(place + 4, BigInt(count), true);
    return concat([small.subarray(0, place + 12), bytes, new Uint8Array(64)]);
  }

  test('with millions of empty lists', async () => {
    const file = swollen(9, 2_000_000, new Uint8Array(24_000_000));
    expect(await memoryOf(() => expectRefusal(() => openModel(file), 'bad-file', /at most 65536 arrays in arrays/))).toBeLessThan(200);
  });

  test('with millions of booleans', async () => {
    const file = swollen(7, 20_000_000, new Uint8Array(20_000_000));
    expect(await memoryOf(() => expectRefusal(() => openModel(file), 'bad-file', /at most 1048576 booleans/))).toBeLessThan(200);
  });

  test('with millions of entries', async () => {
    const counts = (tensors: number, pairs: number) => concat([int32([0x46554747, 3, tensors, 0, pairs, 0]), new Uint8Array(10_000_000)]);
    await expectRefusal(() => openModel(counts(1, 600_000)), 'bad-file', /at most 65536 metadata entries/);
    await expectRefusal(() => openModel(counts(200_000, 1)), 'bad-file', /at most 131072 tensors/);
  });

  test('of safetensors and config.json, with millions of lists', async () => {
    const lists = new TextEncoder().encode(`{"a":[${'[],'.repeat(3_000_000)}[]]}`);
    const weights = bufferSource(withHeader(lists, [new Uint8Array(8)]), 'model.safetensors');
    const open = (config: Uint8Array) => openModel([bufferSource(config, 'config.json'), weights]);
    expect(await memoryOf(() => expectRefusal(() => open(json(LLAMA_CONFIG)), 'bad-file', /at most 1048576 lists and objects/))).toBeLessThan(150);
    await expectRefusal(() => open(lists), 'bad-file', /lists and objects.*config\.json/);
  });
});
