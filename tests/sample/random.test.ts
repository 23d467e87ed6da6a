import { expect, test } from 'vitest';
import { randomSeed, Xorshift64Star } from '../../src/sample/random.js';
import { xorshift } from './reference.js';

const take = (random: Xorshift64Star, count: number) => Array.from({ length: count }, () => random.uint32());

test('seed 42 gives the published numbers', () => {
  // ../shared/data/golden/sampling-stories260K.json, first_u32_seed42
  const first = [1456360119, 3359763283, 3393612768, 4054632243, 3283045847, 3589475362, 877116966, 1888976411];
  expect(take(new Xorshift64Star(42n), 8)).toEqual(first);
});

test('halves agree with 64-bit arithmetic', () => {
  const seeds = [1n, 42n, 0xffffffffn, 1n << 32n, (1n << 64n) - 1n, 0x8000000080000001n, 133742n, 0xdeadbeefcafebaben];
  for (const seed of seeds) {
    const plain = xorshift(seed);
    expect(take(new Xorshift64Star(seed), 2000)).toEqual(Array.from({ length: 2000 }, () => plain.next().value));
  }
});

test('seed 0 is as good as any', () => {
  expect(new Set(take(new Xorshift64Star(0n), 100)).size).toBe(100);
});

test('floats lie in [0, 1) and are exact in 24 bits', () => {
  const random = new Xorshift64Star(7n);
  const plain = xorshift(7n);
  for (let i = 0; i < 1000; i++) {
    const value = random.float();
    expect(value).toBe((plain.next().value >>> 8) / 2 ** 24);
    expect(value).toBe(Math.fround(value));
    expect(value).toBeLessThan(1);
  }
});

test('random seeds differ and can be typed again', () => {
  const seeds = Array.from({ length: 20 }, randomSeed);
  expect(new Set(seeds).size).toBeGreaterThan(15);
  for (const seed of seeds) expect(seed < 1n << 32n && seed >= 0n).toBe(true);
});
