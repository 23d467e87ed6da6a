import { expect, test } from 'vitest';
import { HASH_START } from '../../src/sample/distribution.js';
import { random } from '../kernels/support.js';
import { softmax } from './reference.js';
import { Desk } from './support.js';

const next = random(12);
const logits = Float32Array.from({ length: 777 }, () => next() * 12 - 6);

test('log of the sum, entropy and the largest', () => {
  const desk = new Desk(777).set(logits);
  const { largest, logsumexp, entropy } = desk.distribution.measure(desk.address);
  const probabilities = softmax(Array.from(logits));
  expect(largest).toBe(Math.max(...logits));
  expect(logsumexp).toBeCloseTo(Math.log(logits.reduce((sum, x) => sum + Math.exp(x), 0)), 5);
  expect(entropy).toBeCloseTo(-probabilities.reduce((sum, p) => sum + p * Math.log(p), 0), 4);
  const top = desk.distribution.largest(desk.address, 5);
  expect(Array.from(top.logits)).toEqual(Array.from(logits).sort((a, b) => b - a).slice(0, 5));
  expect(Array.from(top.ids, (id) => logits[id])).toEqual(Array.from(top.logits));
  expect(desk.distribution.largest(desk.address, 9999).ids.length).toBe(777);
});

test('the hash is FNV-1a over 32-bit words, chained', () => {
  const desk = new Desk(777).set(logits);
  const words = new Uint32Array(logits.buffer);
  let hash = HASH_START;
  for (let i = 0; i < 2; i++) for (const word of words) hash = ((hash ^ BigInt(word)) * 0x100000001b3n) & ((1n << 64n) - 1n);
  const { distribution, address } = desk;
  expect(distribution.hashLogits(address, distribution.hashLogits(address, HASH_START))).toBe(hash);
});
