import { describe, expect, test } from 'vitest';
import { collect } from '../../src/files/chunks.js';
import { writeGguf } from '../../src/files/gguf-writer.js';
import { openModel } from '../../src/files/index.js';
import { StringList } from '../../src/files/strings.js';

const TEXTS = ['', 'plain', 'Ġa', 'naïve', '🐦', 'a🐦b', '\ufeffmark', '日本', ''];

/** What a reader makes of the list in a file. */
async function throughFile(list: StringList): Promise<StringList> {
  const file = await openModel(await collect(writeGguf({ metadata: new Map<string, string | StringList>([['general.architecture', 'llama'], ['words', list]]), tensors: [] })));
  return file.metadata.get('words') as StringList;
}

describe('a list of strings', () => {
  test('gives them back one by one and all at once', () => {
    const list = StringList.from(TEXTS);
    expect(list.length).toBe(TEXTS.length);
    expect(TEXTS.map((_, i) => list.at(i))).toEqual(TEXTS);
    expect(list.toArray()).toEqual(TEXTS);
    expect([...list]).toEqual(TEXTS);
    expect(JSON.stringify(list)).toBe(JSON.stringify(TEXTS));
    expect(list.at(TEXTS.length)).toBeUndefined();
    expect(TEXTS.map((_, i) => list.endOf(i) - list.starts[i]!)).toEqual([0, 5, 3, 6, 4, 6, 7, 6, 0]);
    expect(StringList.from([]).toArray()).toEqual([]);
  });

  test('is in a file as in memory', async () => {
    for (const texts of [TEXTS, []]) expect(await throughFile(StringList.from(texts))).toEqual(StringList.from(texts));
  });

  test('keeps bytes that are no UTF-8, in a file written again too', async () => {
    const list = StringList.from(['aXb', 'Yc']);
    list.block[list.starts[0]! + 1] = 0xc3; // first byte of a character …
    list.block[list.starts[1]!] = 0xa9; // … whose second begins the next string
    const again = await throughFile(list);
    expect(again.block).toEqual(list.block);
    expect(again.toArray()).toEqual(['a\ufffdb', '\ufffdc']);
    expect([again.at(0), again.at(1)]).toEqual(['a\ufffdb', '\ufffdc']);
  });

  test('a half of a surrogate pair becomes U+FFFD, also where its other half begins the next string', () => {
    expect(StringList.from(['a\ud83d', '\udc26']).toArray()).toEqual(['a\ufffd', '\ufffd']);
  });
});
