import { execFileSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, open, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ModelInput, openModel } from '../../src/files/index.js';
import { baseName, beside, inside } from '../../src/files/place.js';
import { blobSource, bufferSource } from '../../src/files/sources.js';
import type { Source } from '../../src/generate/types.js';
import { openPath } from '../../src/host/node-files.js';
import { expectRefusal } from './support/expect.js';
import { writeGguf } from './support/gguf-writer.js';
import { floats } from './support/random.js';
import { seedGguf, tensor } from './support/seeds.js';
import { onDisk, readTensor, readWhole } from './support/shared.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stonechat-'));
});
afterAll(() => rm(folder, { recursive: true }));

const put = async (name: string, bytes: Uint8Array | string) => {
  await writeFile(join(folder, name), bytes);
  return join(folder, name);
};

describe('sources', () => {
  test('buffers, blobs, files and paths give the same model', async () => {
    const bytes = seedGguf();
    const path = await put('a b.gguf', bytes);
    const file = new File([bytes], 'x.gguf');
    const whole = await readWhole(await openModel(bytes));
    for (const input of [bytes.buffer, new Blob([bytes]), file, new Blob([bytes]).stream(), bufferSource(bytes), path, pathToFileURL(path), [file]]) {
      const model = await openModel(input, onDisk);
      expect(await readWhole(model)).toBe(whole);
      await model.close();
    }
    expect((await openModel(file)).name).toBe('x.gguf');
  });

  test('answers to a fetch, and what Node calls Readable, are read front to back', async () => {
    const bytes = seedGguf();
    const whole = await readWhole(await openModel(bytes));
    const path = await put('readable.gguf', bytes);
    async function* chunks() {
      for (let at = 0; at < bytes.length; at += 777) yield bytes.subarray(at, at + 777);
    }
    for (const input of [new Response(bytes), createReadStream(path), Readable.from(chunks()), chunks()]) {
      const model = await openModel(input);
      expect(await readWhole(model)).toBe(whole);
      await model.close();
    }
    expect((await openModel(createReadStream(path))).name).toBe('readable.gguf');
    await expectRefusal(() => openModel(new Response('', { status: 403 })), 'network', /403/);
    await expectRefusal(() => openModel(Readable.from(['text'])), 'bad-option', /stream of string/);
    await expectRefusal(() => openModel(Readable.from((async function* () { yield bytes.subarray(0, 100); throw new Error('gone'); })())), 'unavailable', /gone/);
    const used = new Response(bytes);
    await used.arrayBuffer();
    await expectRefusal(() => openModel(used), 'bad-option', /nobody read/);
    const stream = new Blob([bytes]).stream();
    stream.getReader();
    await expectRefusal(() => openModel(stream), 'bad-option', /nobody reads/);
  });

  test.skipIf(process.platform === 'win32')('what is no file is refused at once', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    await expectRefusal(() => openModel(pipe, onDisk), 'bad-file', /a pipe.*stream/);
    await expectRefusal(() => openModel('/dev/null', onDisk), 'bad-file', /a device/);
    await symlink('round', join(folder, 'round'));
    await expectRefusal(() => openModel(join(folder, 'round'), onDisk), 'not-found', /circle/);
    await expectRefusal(() => openModel('x'.repeat(5000), onDisk), 'not-found', /5000 characters/);
    await expectRefusal(() => openModel('a\0b', onDisk), 'bad-option', /zero character/);
    await expectRefusal(() => openModel('file://host/x', onDisk), 'bad-option', /on this machine/);
    await expectRefusal(() => openModel('file:///a%2fb', onDisk), 'bad-option', /on this machine/);
  });

  test.skipIf(process.getuid?.() === 0)('a folder that may not be entered is told (skipped for root, who may)', async () => {
    const closed = join(folder, 'closed');
    await mkdir(closed, { mode: 0 });
    await expectRefusal(() => openModel(join(closed, 'm.gguf'), onDisk), 'unavailable', /permissions/);
    await expectRefusal(() => openModel(closed, onDisk), 'unavailable', /permissions/);
  });

  test('bytes go by the name that the model gives itself', async () => {
    const named = writeGguf({ 'general.architecture': ['string', 'llama'], 'general.name': ['string', 'Story model'] });
    expect((await openModel(named)).name).toBe('Story model');
    expect((await openModel(named.buffer as ArrayBuffer)).name).toBe('Story model');
    expect((await openModel(writeGguf({ 'general.architecture': ['string', 'llama'] }))).name).toBe('buffer');
    expect((await openModel(new File([named], 'file.gguf'))).name).toBe('file.gguf');
  });

  test('whatever load() takes can be passed through', () => {
    const passed = (source: Source): ModelInput => source; // checked by the compiler
    expect(passed('x')).toBe('x');
  });

  test('reads land in shared memory', async () => {
    const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const bytes = seedGguf();
    const path = await openPath(await put('shared.gguf', bytes));
    for (const source of [path, bufferSource(bytes), blobSource(new Blob([bytes]))]) {
      const into = new Uint8Array(buffer, 64, 1000).fill(0);
      await source.read(100, into);
      expect([...into]).toEqual([...bytes.subarray(100, 1100)]);
      await expectRefusal(() => source.read(bytes.length - 999, into), 'truncated', new RegExp(`of ${bytes.length} bytes`));
    }
    await path.close();
  });

  test('tensors beyond 4 GiB (a sparse file)', async () => {
    const columns = 1 << 20;
    const rows = 1100; // 4.3 GiB of f32
    const values = floats(8, 5);
    const header = writeGguf({ 'general.architecture': ['string', 'llama'] }, [tensor('a', 'f32', [32]), tensor('b', 'f32', [8])]);
    const view = new DataView(header.buffer);
    const info = Buffer.from(header).indexOf('\u0001\0\0\0\0\0\0\0a') + 9; // tensor a: dimensions, size, type, offset
    view.setBigUint64(info + 4, BigInt(columns * rows), true);
    view.setBigUint64(Buffer.from(header).indexOf('\u0001\0\0\0\0\0\0\0b') + 9 + 16, BigInt(columns * rows * 4), true);
    const start = header.length - 128 - 32;
    const path = await put('large.gguf', header.subarray(0, start));
    const handle = await open(path, 'r+');
    await handle.write(values, 0, 32, start + columns * rows * 4);
    await handle.close();
    const model = await openModel(path, onDisk);
    expect(model.fileBytes).toBe(start + columns * rows * 4 + 32);
    expect(await readTensor(model, 'b')).toEqual(values);
    const tail = new Uint8Array(8).fill(1);
    await model.read(model.tensors.get('a')!, columns * rows * 4 - 8, tail);
    expect([...tail]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    await model.close();
  });

  test.each([
    ['a path that is not there', () => openModel(join(folder, 'nope.gguf'), onDisk), 'not-found', /nope\.gguf/],
    ['an empty path', () => openModel('', onDisk), 'bad-option', /empty string/],
    ['a path without a host', () => openModel('x.gguf'), 'unavailable', /"x\.gguf"/],
    ['an empty folder', () => openModel(folder, { ...onDisk, list: async () => [] }), 'not-found', /found none/],
    ['no input', () => openModel(undefined as never), 'bad-option', /undefined/],
    ['null', () => openModel(null as never), 'bad-option', /null/],
    ['a number', () => openModel([3] as never), 'bad-option', /number/],
    ['no files', () => openModel([]), 'bad-option', /empty array/],
    ['only companions', () => openModel([new File(['{}'], 'a.json'), new File(['x'], 'b.txt')]), 'not-found', /a\.json, b\.txt/],
  ] as const)('refuses %s', async (_, call, code, message) => {
    await expectRefusal(call, code, message);
  });

  test('places', () => {
    expect(baseName('C:\\models\\a.gguf')).toBe('a.gguf');
    expect(baseName('https://host/x/a.gguf?download=true#top')).toBe('a.gguf');
    expect(baseName('models/dir/')).toBe('dir');
    expect(beside('a.gguf', 'b.json')).toBe('b.json');
    expect(beside('C:\\models\\a.gguf', 'b')).toBe('C:\\models\\b');
    expect(beside('https://host/x/a.gguf?d=1', 'b c.json')).toBe('https://host/x/b%20c.json');
    expect(inside('/', 'b')).toBe('/b');
    expect(inside('models/dir', 'b')).toBe('models/dir/b');
    expect(inside('https://host/x?revision=2', 'b')).toBe('https://host/x/b');
  });
});

describe('files that are no models are named', () => {
  test.each([
    ['nothing', new Uint8Array(0), 'bad-file', /an empty file/],
    ['a Git LFS pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n', 'unsupported', /a Git LFS pointer.*git lfs pull/],
    ['HTML', '  <!doctype html><html>', 'bad-file', /an HTML page/],
    ['XML', '<?xml version="1.0"?><Error><Code>AccessDenied</Code>', 'bad-file', /XML .*Error/],
    ['JSON', '{"error":"Repository not found"}', 'bad-file', /JSON .*Repository not found/],
    ['text', 'Entry not found', 'bad-file', /text "Entry not found"/],
    ['a zip archive', 'PK\x03\x04\x00\x00model.gguf', 'unsupported', /a zip archive/],
    ['a PyTorch archive', 'PK\x03\x04\x00\x00archive/data.pkl', 'unsupported', /PyTorch pickle .* zip/],
    ['a bare pickle', new Uint8Array([0x80, 2, 0x8a, 10]), 'unsupported', /PyTorch pickle/],
    ['GGJT', 'tjgg\x03\x00\x00\x00', 'unsupported', /GGJT/],
    ['big-endian GGUF', 'FUGG\x00\x00\x00\x03', 'unsupported', /big-endian/],
    ['gzip', new Uint8Array([0x1f, 0x8b, 8, 0]), 'unsupported', /gzip/],
    ['HDF5', new Uint8Array([0x89, 0x48, 0x44, 0x46]), 'unsupported', /HDF5/],
    ['something else', new Uint8Array([1, 2, 3, 250]), 'bad-file', /unknown bytes 01 02 03 fa/],
  ] as const)('%s', async (_, content, code, message) => {
    await expectRefusal(() => openModel(typeof content === 'string' ? new Uint8Array(Buffer.from(content, 'latin1')) : content), code, message);
  });
});
