// What is written: whole or not at all, over nothing that is read, and with nothing left behind.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, linkSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inputFiles } from '../../src/files/inputs.js';
import { edgeHost } from '../../src/host/edge.js';
import { nodeHost } from '../../src/host/node.js';
import { checkOutputs, moveOver, saveFile } from '../../src/host/node-save.js';

let folder = '';
const at = (name: string) => join(folder, name);
const text = (value: string) => new TextEncoder().encode(value);
const read = (name: string) => readFileSync(at(name), 'utf8');
const refusal = (code: string, found: RegExp | string) => ({ name: 'StonechatError', code, found: typeof found === 'string' ? found : expect.stringMatching(found) });
const posix = process.platform !== 'win32';

beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'stonechat-save-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Slowly, so that others come between. */
async function* slowly(letter: string, pieces = 20): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < pieces; i++) {
    yield text(letter.repeat(1000));
    await new Promise((done) => setTimeout(done, Math.random() * 3));
  }
}

describe('saving', () => {
  it('to one path at once: the second waits, each is whole', async () => {
    for (let round = 0; round < 30; round++) {
      const both = [saveFile(at('a'), slowly('x', 3)), saveFile(at('a'), slowly('y', 2))];
      await Promise.all(both);
      expect(read('a')).toBe('y'.repeat(2000));
      expect(readdirSync(folder)).toEqual(['a']);
    }
  });

  it('goes on after one that failed', async () => {
    const failing = (async function* () {
      yield text('half');
      throw new Error('no more');
    })();
    const [first, second] = await Promise.allSettled([saveFile(at('a'), failing), saveFile(at('a'), [text('whole')])]);
    expect([first.status, second.status, read('a')]).toEqual(['rejected', 'fulfilled', 'whole']);
    expect(readdirSync(folder)).toEqual(['a']);
  });

  it.skipIf(!posix)('keeps the mode of what it replaces, also while it writes', async () => {
    writeFileSync(at('secret'), 'old');
    chmodSync(at('secret'), 0o600);
    let during = 0;
    await saveFile(at('secret'), (function* () {
      yield text('new');
      during = statSync(at(readdirSync(folder).find((name) => name.endsWith('.partial'))!)).mode & 0o777;
    })());
    expect([statSync(at('secret')).mode & 0o777, during, read('secret')]).toEqual([0o600, 0o600, 'new']);
    chmodSync(at('secret'), 0o751);
    await saveFile(at('secret'), [text('newer')]);
    expect(statSync(at('secret')).mode & 0o777).toBe(0o751);
  });

  it.skipIf(!posix)('writes through links, relative and absolute, chains of them, and to what is not there yet', async () => {
    mkdirSync(at('far'));
    writeFileSync(at('far/model'), 'old');
    symlinkSync('far/model', at('link'));
    symlinkSync(at('link'), at('chain'));
    symlinkSync('far/later', at('dangling'));
    await saveFile(at('chain'), [text('new')]);
    await saveFile(at('dangling'), [text('first')]);
    expect([read('far/model'), read('far/later')]).toEqual(['new', 'first']);
    for (const name of ['link', 'chain', 'dangling']) expect(lstatSync(at(name)).isSymbolicLink(), name).toBe(true);
    expect(readdirSync(at('far')).sort()).toEqual(['later', 'model']);
    symlinkSync('circle', at('circle'));
    await expect(saveFile(at('circle'), [])).rejects.toMatchObject({ code: 'unavailable' });
  });

  it.skipIf(!posix)('refuses devices, FIFOs and folders, and leaves them', async () => {
    mkdirSync(at('folder'));
    execFileSync('mkfifo', [at('fifo')]);
    symlinkSync('/dev/null', at('null'));
    for (const [path, found] of [['/dev/null', /device/], [at('null'), /device/], [at('fifo'), /FIFO/], [at('folder'), /folder/], [`${at('new')}/`, /folder/], [at('no/such/a'), /ENOENT/], ['a\0b', /zero byte/]] as const) {
      await expect(saveFile(path, [text('x')]), path).rejects.toMatchObject(refusal('unavailable', found));
      await expect(checkOutputs([path], []), path).rejects.toMatchObject(refusal('unavailable', found));
    }
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
    expect([lstatSync(at('fifo')).isFIFO(), readdirSync(at('folder')), existsSync(at('new'))]).toEqual([true, [], false]);
  });

  it('does not write through what others laid at a name that could be foreseen', async () => {
    writeFileSync(at('victim'), 'mine');
    if (posix) symlinkSync(at('victim'), at(`a.${process.pid}.partial`));
    await saveFile(at('a'), [text('new')]);
    expect([read('victim'), read('a')]).toEqual(['mine', 'new']);
  });

  it('takes long names', async () => {
    const name = `${'ä'.repeat(118)}.gguf`;
    await saveFile(at(name), [text('x')]);
    expect(readdirSync(folder)).toEqual([name]);
  });

  it('waits for programs that hold the target open on Windows, and then says so', async () => {
    const refusing = (times: number, code: string) => {
      let left = times;
      return async () => {
        if (left-- > 0) throw Object.assign(new Error(code), { code });
      };
    };
    await moveOver('a', 'b', 'b', refusing(3, 'EBUSY'), true);
    await expect(moveOver('a', 'b', 'b', refusing(1, 'EXDEV'), true)).rejects.toMatchObject({ code: 'unavailable' });
    await expect(moveOver('a', 'b', 'b', refusing(1, 'EPERM'), false)).rejects.toMatchObject({ code: 'unavailable' });
    await expect(moveOver('a', 'b', 'b', refusing(99, 'EPERM'), true)).rejects.toMatchObject({ code: 'unavailable', remedy: expect.stringContaining('Close the program') });
  });
});

describe('leftovers', () => {
  /** What a process that was killed had begun to write. */
  async function killed(name: string): Promise<string> {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    child.kill('SIGKILL');
    await new Promise((done) => child.on('exit', done));
    const own = await nameOfAside();
    const left = own.replace(/\.\d+-\d+-/, `.${child.pid}-12345-`).replace(/^probe/, name);
    writeFileSync(at(left), 'half');
    return left;
  }

  async function nameOfAside(): Promise<string> {
    let name = '';
    await saveFile(at('probe'), (function* () {
      name = readdirSync(folder).find((one) => one.startsWith('probe.') && one.endsWith('.partial'))!;
      yield text('');
    })());
    rmSync(at('probe'));
    return name;
  }

  it('of runs that were killed go with the next one; those of others stay', async () => {
    const left = await killed('a');
    const own = await nameOfAside();
    const live = own.replace(/^probe/, 'a'); // as this very process would have it
    const elsewhere = live.replace(/-[0-9a-f]{10}\./, '-0123456789.');
    const old = elsewhere.replace(/[0-9a-f]{12}\.partial$/, 'aaaaaaaaaaaa.partial');
    const others = [live, elsewhere, 'a.1.partial.gguf', 'a.backup.partial', 'ab.99999999.partial', left.replace(/^a/, 'b')];
    for (const name of [...others, old, 'a.99999999.partial']) writeFileSync(at(name), 'half');
    utimesSync(at(old), 0, 0);
    await checkOutputs([at('a')], []);
    expect(readdirSync(folder).sort()).toEqual([...others].sort());
    expect(left).not.toBe('');
  });
});

describe('outputs', () => {
  beforeEach(() => writeFileSync(at('base.gguf'), 'model'));
  const refuses = (output: string, ...inputs: string[]) => expect(checkOutputs([output], inputs), output).rejects.toMatchObject(refusal('bad-option', /./));

  it('are none of the inputs, by whatever name', async () => {
    await refuses(at('base.gguf'), at('base.gguf'));
    await refuses(relative('.', at('base.gguf')), at('base.gguf'));
    await refuses(`${folder}/./base.gguf`, at('base.gguf'));
    await refuses(`file://${at('base.gguf')}`, at('base.gguf'));
    await refuses(at('base.gguf'), `file://${at('base.gguf')}`);
    linkSync(at('base.gguf'), at('hard.gguf'));
    await refuses(at('hard.gguf'), at('base.gguf'));
    if (!posix) return;
    symlinkSync('base.gguf', at('soft.gguf'));
    symlinkSync(folder, at('way'));
    await refuses(at('soft.gguf'), at('base.gguf'));
    await refuses(at('base.gguf'), at('soft.gguf'));
    await refuses(at('way/base.gguf'), at('base.gguf'));
    expect(read('base.gguf')).toBe('model');
  });

  it('may be others, new ones, and beside URLs', async () => {
    writeFileSync(at('old.gguf'), 'old');
    await checkOutputs([at('old.gguf'), at('new.gguf')], [at('base.gguf'), 'https://example.org/old.gguf', at('missing.gguf')]);
    expect([read('old.gguf'), readdirSync(folder).sort()]).toEqual(['old', ['base.gguf', 'old.gguf']]);
  });

  it('differ from each other', async () => {
    await expect(checkOutputs([at('a'), join(folder, '.', 'a')], [])).rejects.toMatchObject(refusal('bad-option', /and/));
    linkSync(at('base.gguf'), at('hard.gguf'));
    await expect(checkOutputs([at('base.gguf'), at('hard.gguf')], [])).rejects.toMatchObject(refusal('bad-option', /and/));
  });

  it('need a disk', async () => {
    await expect(edgeHost().checkOutputs(['a'], [])).rejects.toMatchObject({ code: 'unavailable' });
    await edgeHost().checkOutputs([], ['a']);
    await nodeHost().checkOutputs([], []);
  });
});

describe('files of an input', () => {
  it('are all of a folder, all parts, and what stands beside weights', async () => {
    const list = nodeHost().list;
    const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'made.gguf', 'notes.txt'];
    for (const name of names) writeFileSync(at(name), '');
    const files = async (input: Parameters<typeof inputFiles>[0]) => (await inputFiles(input, list)).map((path) => relative(folder, path)).sort();
    expect(await files(folder)).toEqual(['config.json', 'model.safetensors', 'notes.txt', 'tokenizer.json']);
    expect(await files(at('model.safetensors'))).toEqual(expect.arrayContaining(['config.json', 'model.safetensors', 'tokenizer.json']));
    expect(await files(at('made.gguf'))).toEqual(['made.gguf']);
    expect(await files(at('m-00001-of-00002.gguf'))).toEqual(['m-00001-of-00002.gguf', 'm-00001-of-00002.gguf', 'm-00002-of-00002.gguf']);
    expect(await files([at('a.gguf'), at('b.gguf')])).toEqual(['a.gguf', 'b.gguf']);
    expect(await files(new Uint8Array(3))).toEqual([]);
    expect(await files(undefined)).toEqual([]);
  });
});
