import { describe, expect, test } from 'vitest';
import { openModel } from '../../src/files/index.js';
import { notFound } from '../../src/files/refuse.js';
import { bufferSource, streamSource } from '../../src/files/sources.js';
import { StringList } from '../../src/files/strings.js';
import { DTYPES, type ModelFile } from '../../src/files/types.js';
import { expectRefusal } from './support/expect.js';
import { type Entry, writeGguf } from './support/gguf-writer.js';
import { EVERY_VALUE, seedGguf, seedSplit, tensor } from './support/seeds.js';
import { readWhole } from './support/shared.js';

const LLAMA: Record<string, Entry> = { 'general.architecture': ['string', 'llama'] };
const at = (bytes: Uint8Array, text: string): number => Buffer.from(bytes).indexOf(text);
/** A file changed by `edit`. */
const edited = (edit: (view: DataView, bytes: Uint8Array) => void, bytes = seedGguf()) => {
  edit(new DataView(bytes.buffer), bytes);
  return bytes;
};
const stream = (bytes: Uint8Array, piece: number) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (let from = 0; from < bytes.length; from += piece) controller.enqueue(bytes.slice(from, from + piece));
      controller.close();
    },
  });

const strings = (metadata: ModelFile['metadata'], key: string) => (metadata.get(key) as StringList).toArray();

describe('GGUF', () => {
  test.each([2, 3])('version %i: every value type and tensor type', async (version) => {
    const tensors = DTYPES.map((type, i) => tensor(`t.${type}`, type, [256, 2], i + 1));
    const model = await openModel(writeGguf(EVERY_VALUE, tensors, { version }));
    const { metadata } = model;
    expect(metadata.get('general.name')).toBe('Größe 🐦');
    expect(['u8', 'i8', 'u16', 'i16', 'u32', 'i32', 'f32', 'bool', 'u64', 'big', 'i64', 'f64'].map((key) => metadata.get(`a.${key}`))).toEqual([
      255, -128, 65535, -32768, 4294967295, -2147483648, 0.5, true, 2 ** 40, (1n << 64n) - 1n, -5, 1e-300,
    ]);
    expect(strings(metadata, 'l.strings')).toEqual(['Ġa', '', 'naïve', '🐦', 'plain', '\ufeffmark']);
    expect(metadata.get('l.bools')).toEqual([true, false]);
    expect(metadata.get('l.floats')).toEqual(new Float32Array([1, 2.5]));
    expect(metadata.get('l.longs')).toEqual(new BigInt64Array([1n, -1n]));
    expect(metadata.get('l.nested')).toEqual([new Uint16Array([1, 2]), StringList.from(['x'])]);
    for (const { name, data, type, shape } of tensors) {
      const info = model.tensors.get(name)!;
      expect(info).toMatchObject({ type, shape, bytes: data.length });
      const into = new Uint8Array(data.length);
      await model.read(info, 0, into);
      expect(into).toEqual(data);
    }
  });

  test('strings that are no UTF-8, or only when joined, are read one by one', async () => {
    const bytes = writeGguf({ ...LLAMA, words: ['array', 'string', ['aé', 'b']] });
    const e = at(bytes, 'é');
    bytes[e + 1] = 0x78; // a lone first byte
    const model = await openModel(bytes);
    expect(strings(model.metadata, 'words')).toEqual(['a\ufffdx', 'b']);
    const halves = writeGguf({ ...LLAMA, words: ['array', 'string', ['aX', 'Yb']] });
    halves[at(halves, 'aX') + 1] = 0xc3;
    halves[at(halves, 'Yb')] = 0xa9;
    expect(strings((await openModel(halves)).metadata, 'words')).toEqual(['a\ufffd', '\ufffdb']);
  });

  test('a header longer than the first read, from a buffer and from a stream', async () => {
    const words = Array.from({ length: 40000 }, (_, i) => `Ġword${i * 7919}`);
    const bytes = writeGguf({ ...LLAMA, words: ['array', 'string', words] }, [tensor('t', 'f32', [64, 64])]);
    for (const input of [bytes, stream(bytes, 10007)]) {
      const model = await openModel(input);
      expect(strings(model.metadata, 'words')).toEqual(words);
      expect(await readWhole(model, 1000)).toBe(64 * 64 * 4);
    }
  });

  test('alignment and disk order', async () => {
    const bytes = writeGguf({ ...LLAMA, 'general.alignment': ['u32', 128] }, [tensor('b', 'f32', [3]), tensor('a', 'q8_0', [32])], { alignment: 128 });
    const model = await openModel(bytes);
    expect([...model.tensors.keys()]).toEqual(['b', 'a']);
    const into = new Uint8Array(34);
    await model.read(model.tensors.get('a')!, 0, into);
    expect(into).toEqual(tensor('a', 'q8_0', [32]).data);
  });

  const first = (bytes: Uint8Array) => at(bytes, 'blk.0.f32') + 9; // right after the first tensor's name: dimensions, sizes, type, offset
  test.each([
    ['version 1', edited((v) => v.setUint32(4, 1, true)), 'unsupported', /version 1/],
    ['version 9', edited((v) => v.setUint32(4, 9, true)), 'bad-file', /version 9/],
    ['big-endian', edited((v) => v.setUint32(4, 3, false)), 'unsupported', /big-endian one \(version 3\)/],
    ['2^60 tensors', edited((v) => v.setBigUint64(8, 1n << 60n, true)), 'bad-file', /tensors at byte 8/],
    ['2^60 entries', edited((v) => v.setBigUint64(16, 1n << 60n, true)), 'bad-file', /metadata entries/],
    ['a key of 2^63 bytes', edited((v) => v.setBigUint64(24, 1n << 63n, true)), 'bad-file', /key bytes/],
    ['a few tensors too many', edited((v) => v.setBigUint64(8, 2000n, true)), 'truncated', /2000 tensors/],
    ['value type 77', edited((v, b) => v.setUint32(at(b, 'a.u8') + 4, 77, true)), 'bad-file', /77 under key "a.u8"/],
    ['a list of 2^60 strings', edited((v, b) => v.setBigUint64(at(b, 'l.strings') + 17, 1n << 60n, true)), 'bad-file', /entries of "l.strings"/],
    ['5 dimensions', edited((v, b) => v.setUint32(first(b), 5, true)), 'bad-file', /5 in tensor "blk.0.f32"/],
    ['a size of 0', edited((v, b) => v.setBigUint64(first(b) + 4, 0n, true)), 'bad-file', /shape \[0, 2\]/],
    ['an odd row', edited((v, b) => v.setBigUint64(at(b, 'blk.0.q4_0') + 14, 255n, true)), 'bad-file', /whole blocks of 32/],
    ['an unknown type', edited((v, b) => v.setUint32(first(b) + 20, 39, true)), 'unsupported', /MXFP4 \(ggml type 39\) in tensor "blk.0.f32"/],
    ['IQ4_XS', edited((v, b) => v.setUint32(first(b) + 20, 23, true)), 'unsupported', /IQ4_XS/],
    ['an unaligned offset', edited((v, b) => v.setBigUint64(first(b) + 24, 1n, true)), 'bad-file', /multiples of 32/],
    ['tensors on top of each other', edited((v, b) => v.setBigUint64(at(b, 'blk.0.f16') + 33, 0n, true)), 'bad-file', /side by side/],
    ['a missing tail', seedGguf().slice(0, -1000), 'truncated', /tensor blk\.0\.q4_K .* is the first that is missing/],
    ['half a header', seedGguf().slice(0, 200), 'truncated', /200/],
    ['one key twice', edited((_, b) => b.set(Buffer.from('a.i8'), at(b, 'a.u8'))), 'bad-file', /"a.i8" twice/],
    ['no architecture', writeGguf({ name: ['string', 'x'] }), 'bad-file', /general\.architecture/],
    ['a strange alignment', writeGguf({ ...LLAMA, 'general.alignment': ['u32', 33] }), 'bad-file', /power of two/],
  ] as const)('refuses %s', async (_, bytes, code, message) => {
    await expectRefusal(() => openModel(bytes), code, message);
  });

  test('refuses arrays nested without end', async () => {
    await expectRefusal(() => openModel(nest(20000)), 'bad-file', /nested at most/);
  });

  test('a stream cut short names the tensor it stopped in', async () => {
    const bytes = seedGguf();
    const model = await openModel(stream(bytes.slice(0, -1000), 999));
    await expectRefusal(() => readWhole(model), 'truncated', /tensor blk\.0\.q4_K at bytes/);
  });

  test('reads outside a tensor are refused', async () => {
    const model = await openModel(seedGguf());
    const info = model.tensors.get('blk.0.f32')!;
    await expectRefusal(() => model.read(info, info.bytes - 1, new Uint8Array(2)), 'bad-option', /within the 2048 bytes/);
  });
});

/** A file whose one value is an array in an array, `depth` times. */
function nest(depth: number): Uint8Array<ArrayBuffer> {
  const bytes = writeGguf({ deep: ['array', 'u8', new Array<number>(depth * 12).fill(0)] });
  const view = new DataView(bytes.buffer);
  const start = at(bytes, 'deep') + 8;
  for (let i = 0; i < depth - 1; i++) {
    view.setUint32(start + i * 12, 9, true);
    view.setBigUint64(start + i * 12 + 4, 1n, true);
  }
  return bytes;
}

describe('split GGUF', () => {
  const named = (parts: Uint8Array[]) => parts.map((part, i) => bufferSource(part, `m-0000${i + 1}-of-0000${parts.length}.gguf`));
  const folder = (parts: Uint8Array[]) => {
    const files = named(parts);
    const find = (location: string) => files.find(({ name }) => location.endsWith(name));
    const open = async (location: string) => {
      const file = find(location);
      if (!file) throw notFound('a file', location);
      return file;
    };
    return { open };
  };

  test('an array in any order holds all tensors in part order', async () => {
    const [a, b, c] = named(seedSplit());
    const model = await openModel([c!, a!, b!]);
    expect(model.metadata.get('general.name')).toBe('Größe 🐦');
    expect(model.tensors.size).toBe(DTYPES.length);
    expect([...model.tensors.keys()][1]).toBe(`blk.0.${DTYPES[3]}`);
    await readWhole(model);
  });

  test.each([1, 2, 3])('part %i leads to the others by name', async (number) => {
    const model = await openModel(`dir/m-0000${number}-of-00003.gguf`, folder(seedSplit()));
    expect(model.tensors.size).toBe(DTYPES.length);
  });

  test('a folder with one split model is that model', async () => {
    const files = named(seedSplit());
    const model = await openModel('dir', { open: async (path) => files.find(({ name }) => path === `dir/${name}`)!, list: async () => files.map(({ name }) => name) });
    expect(model.tensors.size).toBe(DTYPES.length);
  });

  test.each([
    ['a part is missing', () => openModel(named(seedSplit()).slice(0, 2)), 'not-found', /part 3 is missing/],
    ['a part comes twice', () => openModel([...named(seedSplit()), bufferSource(seedSplit()[1]!, 'again.gguf')]), 'bad-file', /again\.gguf as part 2 of 3/],
    ['another model is among them', () => openModel([...named(seedSplit()).slice(0, 2), bufferSource(seedGguf(), 'other.gguf')]), 'bad-file', /split\.no/],
    ['names tell nothing', () => openModel(seedSplit()[0]!), 'not-found', /no way to tell their names/],
    ['another format is among them', () => openModel([named(seedSplit())[0]!, bufferSource(new Uint8Array(5), 'x.gguf')]), 'bad-file', /unknown bytes/],
  ] as const)('refuses when %s', async (_, call, code, message) => {
    await expectRefusal(call, code, message);
  });
});

describe('streams', () => {
  test('are read forward only', async () => {
    const source = streamSource(stream(new Uint8Array(100), 7));
    await source.read(50, new Uint8Array(10));
    await expectRefusal(() => source.read(0, new Uint8Array(10)), 'unavailable', /front to back/);
  });

  test('stop on a signal', async () => {
    const control = new AbortController();
    const endless = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => undefined) });
    const opening = openModel(endless, { signal: control.signal });
    control.abort();
    await expectRefusal(() => opening, 'aborted', /aborted/);
  });

  test('report progress', async () => {
    const seen: number[] = [];
    const bytes = seedGguf();
    await readWhole(await openModel(stream(bytes, 1000), { onProgress: ({ done }) => seen.push(done) }));
    expect(seen.at(-1)).toBeGreaterThan(bytes.length - 32);
  });
});
