import { expect, test } from 'vitest';
import { Sorter } from '../../src/sample/sorter.js';
import { random } from '../kernels/support.js';

function check(sorter: Sorter, values: readonly number[]): void {
  sorter.values.set(values);
  const rounded = values.map(Math.fround);
  sorter.sort(values.length);
  const order = Array.from(sorter.order.subarray(0, values.length));
  const plain = rounded.map((_, i) => i).sort((a, b) => (rounded[a] === rounded[b] ? a - b : rounded[a]! - rounded[b]!));
  expect(order).toEqual(plain);
}

test('orders any f32 values, equals stay in order', () => {
  const sorter = new Sorter(3000);
  const next = random(5);
  check(sorter, []);
  check(sorter, [3]);
  check(sorter, [Infinity, 1e-45, -1e-45, 3e38, -3e38, 1, 1, -1, -Infinity, 0]);
  for (let round = 0; round < 30; round++) {
    const scale = 10 ** Math.floor(next() * 20 - 10);
    const steps = round % 3 === 0 ? 8 : 1e6; // few distinct values: many ties
    check(sorter, Array.from({ length: Math.floor(next() * 3000) }, () => (Math.floor(next() * steps) / steps - 0.5) * scale + 1e-30));
  }
});

test('weights drop what comes late, never what is needed', () => {
  const sorter = new Sorter(2000);
  const next = random(6);
  for (let round = 0; round < 30; round++) {
    const values = Float32Array.from({ length: 2000 }, () => next() * 20 - 10);
    const weights = Float32Array.from({ length: 2000 }, () => next() / 1000);
    const limit = round / 30;
    sorter.values.set(values);
    const kept = sorter.sortUntil(2000, weights, limit);
    const plain = Array.from(values.keys()).sort((a, b) => values[a]! - values[b]!);
    let sum = 0;
    const needed = plain.findIndex((i) => (sum += weights[i]!) > limit) + 1 || 2000;
    expect(kept).toBeGreaterThanOrEqual(needed);
    expect(Array.from(sorter.order.subarray(0, needed))).toEqual(plain.slice(0, needed));
    if (limit < 0.3) expect(kept).toBeLessThan(1400);
  }
});
