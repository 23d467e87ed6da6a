import { describe, expect, test } from 'vitest';
import { draw } from '../../src/sample/draw.js';
import { buildSampler, type Sampler } from '../../src/sample/index.js';
import { Xorshift64Star } from '../../src/sample/random.js';
import { topP } from '../../src/sample/top-p.js';
import { random } from '../kernels/support.js';
import { buildsHere } from '../kernels/support.js';
import { softmax, topK as plainTopK } from './reference.js';
import { Desk, NEUTRAL, NO_HISTORY } from './support.js';

/** Sum of (observed - expected)^2 / expected over the ids expected at least 5 times, with their number. */
function chiSquare(counts: readonly number[], probabilities: readonly number[], draws: number): { statistic: number; cells: number } {
  const cells = probabilities.map((p, id) => ({ expected: p * draws, observed: counts[id]! })).filter(({ expected }) => expected >= 5);
  return { statistic: cells.reduce((sum, { expected, observed }) => sum + (observed - expected) ** 2 / expected, 0), cells: cells.length };
}

function countDraws(desk: Desk, options: Partial<typeof NEUTRAL>, seed: bigint, draws: number): number[] {
  const pick = buildSampler({ ...NEUTRAL, ...options }, desk.candidates, new Xorshift64Star(seed));
  const counts = new Array<number>(desk.vocabulary).fill(0);
  for (let i = 0; i < draws; i++) counts[pick(desk.address, NO_HISTORY)]!++;
  return counts;
}

describe('the ids drawn follow the distribution', () => {
  const next = random(77);
  const logits = Array.from({ length: 60 }, () => Math.fround(next() * 4));
  const draws = 20_000;
  const plain: [string, Partial<typeof NEUTRAL>, number[]][] = [
    ['plain', {}, softmax(logits)],
    ['temperature 0.6', { temperature: 0.6 }, softmax(logits.map((x) => x / 0.6))],
    ['top-k 10', { topK: 10 }, softmax(plainTopK(logits, 10))],
  ];

  test.each(plain)('%s', (_, options, probabilities) => {
    const counts = countDraws(new Desk(60).set(logits), options, 2024n, draws);
    const { statistic, cells } = chiSquare(counts, probabilities, draws);
    // Mean cells - 1, standard deviation sqrt(2 (cells - 1)): 4 of them is a chance of about 1 in 10,000, and the seed is fixed.
    expect(statistic).toBeLessThan(cells - 1 + 4 * Math.sqrt(2 * (cells - 1)));
    probabilities.forEach((p, id) => p === 0 && expect(counts[id]).toBe(0));
  });
});

test('without a sort the running sum goes by id, as in llama2.c', () => {
  const desk = new Desk(4);
  const candidates = desk.with([0, 0, 0, 0]);
  const random = new Xorshift64Star(42n);
  const coins = new Xorshift64Star(42n);
  for (let i = 0; i < 50; i++) expect(draw(candidates, random)).toBe(Math.floor(coins.float() * 4));
});

test('after top-p the coin is scaled by the mass that is left', () => {
  const candidates = new Desk(4).with([0.1, 0.4, 0.2, 0.3].map(Math.log));
  topP(0.6)(candidates, NO_HISTORY);
  expect(candidates.mass).toBeCloseTo(0.7, 6);
  const random = new Xorshift64Star(1n);
  const coins = new Xorshift64Star(1n);
  for (let i = 0; i < 50; i++) expect(draw(candidates, random)).toBe(coins.float() * 0.7 < 0.4 ? 0 : 1);
});

test('forbidden ids are never drawn, even by a coin at the end', () => {
  const candidates = new Desk(5).with([-Infinity, 1, -Infinity, 1, -Infinity]);
  const last = { float: () => 1 - 2 ** -24 } as Xorshift64Star;
  const first = { float: () => 0 } as Xorshift64Star;
  expect([draw(candidates, first), draw(candidates, last)]).toEqual([1, 3]);
});

test('an error when nothing may come next', () => {
  const desk = new Desk(3).set([1, 2, 3]);
  const logitBias = new Map([[0, -Infinity], [1, -Infinity], [2, -Infinity]]);
  for (const temperature of [0, 1]) {
    const pick = buildSampler({ ...NEUTRAL, temperature, logitBias }, desk.candidates, new Xorshift64Star(1n));
    expect(() => pick(desk.address, NO_HISTORY)).toThrow(expect.objectContaining({ code: 'bad-option' }));
  }
  const none: Sampler = (c) => (c.size = 0);
  expect(() => buildSampler({ ...NEUTRAL, samplers: [none] }, desk.candidates, new Xorshift64Star(1n))(desk.address, NO_HISTORY)).toThrow('at least one token');
});

test('every build draws the same ids', () => {
  const next = random(3);
  const logits = Array.from({ length: 2000 }, () => next() * 9);
  const options = { temperature: 1.3, topK: 900, typicalP: 0.97, topP: 0.95, minP: 0.001 };
  const drawn = buildsHere().map((build) => {
    const desk = new Desk(2000, build).set(logits);
    const pick = buildSampler({ ...NEUTRAL, ...options }, desk.candidates, new Xorshift64Star(5n));
    return Array.from({ length: 200 }, () => pick(desk.address, NO_HISTORY));
  });
  for (const ids of drawn) expect(ids).toEqual(drawn[0]);
});

test('memory that grows between tokens does no harm', () => {
  const desk = new Desk(100).set(Array.from({ length: 100 }, (_, i) => i / 10));
  const pick = buildSampler({ ...NEUTRAL, topK: 20 }, desk.candidates, new Xorshift64Star(5n));
  const before = pick(desk.address, NO_HISTORY);
  desk.kernels.memory.grow(3);
  expect(before).toBeGreaterThanOrEqual(80);
  expect(pick(desk.address, NO_HISTORY)).toBeGreaterThanOrEqual(80);
});
