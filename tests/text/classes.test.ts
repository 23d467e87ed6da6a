import { expect, it } from 'vitest';
import { classPage, computePage } from '../../src/text/classes.js';

it('classes of Latin-1, written down, are those of this engine', () => {
  expect(classPage(0)).toEqual(computePage(0));
  expect(classPage(3)).toEqual(computePage(3));
});
