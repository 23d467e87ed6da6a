import { expect, it } from 'vitest';
import { classPage, computePage, PAGES } from '../../src/text/classes.js';
import { loadPatterns, patterns } from '../../src/text/regex.js';
import { has } from '../../src/text/code-set.js';

it('classes of Latin-1, written down, are those of the tables', () => {
  expect(classPage(0)).toEqual(computePage(0));
  expect(classPage(3)).toEqual(computePage(3));
});

it('classes of every code point are what the properties of patterns say', async () => {
  await loadPatterns();
  const set = (name: string) => patterns().property(name)!;
  const wanted = [['Lu', 1], ['Lt', 1], ['Ll', 2], ['Lm', 4], ['Lo', 4], ['M', 8], ['N', 16], ['White_Space', 32]] as const;
  for (let page = 0; page < PAGES; page++) {
    const found = classPage(page);
    for (let code = page * 256; code < page * 256 + 256; code++) {
      let bits = wanted.reduce((all, [name, bit]) => (has(set(name), code) ? all | bit : all), 0);
      if (code === 10 || code === 13) bits |= 64;
      if (!(bits & 0x37)) bits |= 128;
      if (found[code & 255] !== bits) expect([code, found[code & 255]]).toEqual([code, bits]);
    }
  }
});
