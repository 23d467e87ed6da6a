import { describe, expect, test } from 'vitest';
import { samplerChain } from '../../src/sample/index.js';
import { logitBias } from '../../src/sample/bias.js';
import { minP } from '../../src/sample/min-p.js';
import { penalties } from '../../src/sample/penalties.js';
import { greedy, temperature } from '../../src/sample/temperature.js';
import { topK } from '../../src/sample/top-k.js';
import { topP } from '../../src/sample/top-p.js';
import type { Sampler } from '../../src/sample/types.js';
import { typicalP } from '../../src/sample/typical.js';
import { random } from '../kernels/support.js';
import * as reference from './reference.js';
import { Desk, historyOf, living, NEUTRAL, NO_HISTORY } from './support.js';

const desks = new Map<number, Desk>();
const deskOf = (size: number) => desks.get(size) ?? desks.set(size, new Desk(size)).get(size)!;

/** Peaked as real models are: a few likely ids, a long tail. */
function someLogits(size: number, seed: number): number[] {
  const next = random(seed);
  return Array.from({ length: size }, () => Math.fround(-6 * Math.log(next() + 1e-9) * (next() < 0.2 ? 1 : 0.3) + 3 * next()));
}

/** Ids with their probabilities, by id. */
function distribution(candidates: Desk['candidates']): Map<number, number> {
  candidates.softmax();
  const { ids, probabilities, mass } = candidates;
  return new Map(living(candidates).map((_, i) => [ids[i]!, probabilities[i]! / mass] as const).sort((a, b) => a[0] - b[0]));
}

function expectSame(candidates: Desk['candidates'], logits: readonly number[]): void {
  const probabilities = reference.softmax(logits);
  const wanted = new Map(probabilities.flatMap((p, id) => (logits[id]! > -Infinity ? [[id, p] as const] : [])));
  const got = distribution(candidates);
  expect([...got.keys()]).toEqual([...wanted.keys()]);
  for (const [id, p] of wanted) expect(Math.abs(got.get(id)! - p)).toBeLessThan(2e-6);
}

const cases: [string, Sampler, (logits: readonly number[]) => number[]][] = [
  ['temperature 0.7', temperature(0.7), (x) => reference.temperature(x, 0.7)],
  ['temperature 2.5', temperature(2.5), (x) => reference.temperature(x, 2.5)],
  ...[1, 7, 40, 299, 5000].map((k): (typeof cases)[number] => [`top-k ${k}`, topK(k), (x) => reference.topK(x, k)]),
  ...[0.01, 0.5, 0.9, 0.999].map((p): (typeof cases)[number] => [`top-p ${p}`, topP(p), (x) => reference.topP(x, p)]),
  ...[0.001, 0.1, 0.9].map((p): (typeof cases)[number] => [`min-p ${p}`, minP(p), (x) => reference.minP(x, p)]),
  ...[0.2, 0.9, 0.99].map((p): (typeof cases)[number] => [`typical-p ${p}`, typicalP(p), (x) => reference.typicalP(x, p)]),
];

describe('against plain f64 twins', () => {
  test.each(cases)('%s', (_, sampler, plain) => {
    for (const size of [1, 2, 3, 31, 300, 1000]) {
      for (const seed of [1, 2, 3]) {
        const logits = someLogits(size, seed * 1000 + size);
        const candidates = deskOf(size).with(logits);
        sampler(candidates, NO_HISTORY);
        expectSame(candidates, plain(logits));
      }
    }
  });

  test('one after another, each sees what the last left', () => {
    const logits = someLogits(1000, 9);
    const candidates = deskOf(1000).with(logits);
    for (const sampler of [topK(400), temperature(1.5), typicalP(0.95), topP(0.9), minP(0.05), topK(20)]) sampler(candidates, NO_HISTORY);
    const plain = [(x: number[]) => reference.topK(x, 400), (x: number[]) => reference.temperature(x, 1.5), (x: number[]) => reference.typicalP(x, 0.95),
      (x: number[]) => reference.topP(x, 0.9), (x: number[]) => reference.minP(x, 0.05), (x: number[]) => reference.topK(x, 20)];
    expectSame(candidates, plain.reduce((x, step) => step(x), logits));
  });

  test('penalties look at a window', () => {
    // Flat and of both signs, so that every change to a seen id shows in the probabilities.
    const logits = someLogits(300, 4).map((x) => (x - 4) / 8);
    const seen = Array.from({ length: 90 }, (_, i) => (i * 7) % 23);
    for (const window of [0, 1, 5, 64, 500, -1]) {
      const candidates = deskOf(300).with(logits);
      penalties({ repetition: 1.3, presence: 0.4, frequency: 0.15, window })(candidates, historyOf(seen));
      const recent = window < 0 ? seen : seen.slice(seen.length - Math.min(window, seen.length));
      expectSame(candidates, reference.penalties(logits, recent, 1.3, 0.4, 0.15));
    }
  });
});

describe('known cases', () => {
  const logs = (...probabilities: number[]) => probabilities.map(Math.log);
  const keptBy = (sampler: Sampler, logits: readonly number[]) => {
    const candidates = deskOf(logits.length).with(logits);
    sampler(candidates, NO_HISTORY);
    return living(candidates);
  };

  test('min-p keeps what is at least p of the best', () => {
    expect(keptBy(minP(0.25), logs(0.1, 0.4, 0.2, 0.09, 0.21))).toEqual([1, 2, 4]);
    expect(keptBy(minP(1), logs(0.1, 0.4, 0.2, 0.3))).toEqual([1]);
    expect(keptBy(minP(0), logs(0.1, 0.9))).toEqual([0, 1]);
  });

  test('typical-p prefers ids of usual surprise to the most likely one', () => {
    // Entropy 1.61 nats; surprises 0.92 (id 0) and 1.90 (the four of 0.15)
    expect(keptBy(typicalP(0.5), logs(0.4, 0.15, 0.15, 0.15, 0.15))).toEqual([1, 2, 3, 4]);
  });

  test('top-p stops at the first sum above p, never empty', () => {
    expect(keptBy(topP(0.5), logs(0.1, 0.45, 0.2, 0.25))).toEqual([1, 3]);
    expect(keptBy(topP(0), logs(0.1, 0.45, 0.2, 0.25))).toEqual([1]);
    expect(keptBy(topP(0.0001), new Array(100).fill(0))).toEqual([0]);
    expect(keptBy(topP(1), logs(0.5, 0.5))).toEqual([0, 1]);
  });

  test('equals: the lower id first, in every way of selecting', () => {
    const flat = new Array<number>(1000).fill(1);
    expect(keptBy(topK(3), flat)).toEqual([0, 1, 2]);
    expect(keptBy(topK(300), flat)).toEqual(Array.from({ length: 300 }, (_, i) => i));
    expect(keptBy(greedy, [0, -0, 0])).toEqual([0]);
    expect(keptBy(greedy, [-1, 5, 5])).toEqual([1]);
    expect(keptBy(topP(0.7), [-0, 0])).toEqual([0, 1]);
  });

  test('bias adds, forbids, and survives narrowing', () => {
    const candidates = deskOf(4).with([1, 2, 3, 4]);
    logitBias(new Map([[0, 5], [3, -Infinity]]))(candidates, NO_HISTORY);
    expect(Array.from(candidates.logits)).toEqual([6, 2, 3, -Infinity]);
    topK(3)(candidates, NO_HISTORY);
    logitBias(new Map([[2, 1], [3, 1]]))(candidates, NO_HISTORY);
    expect(living(candidates)).toEqual([0, 2, 1]);
    expect(Array.from(candidates.logits.subarray(0, 3))).toEqual([6, 4, 2]);
    typicalP(0.9999)(deskOf(4).with([1, -Infinity, 2, -Infinity]), NO_HISTORY);
    expect(living(deskOf(4).candidates).sort()).toEqual([0, 2]);
  });

  test('a filter leaves nothing behind for the next token', () => {
    const desk = deskOf(300);
    const logits = someLogits(300, 8);
    topP(0.3)(desk.with(logits), NO_HISTORY);
    minP(0.9)(desk.with(logits), NO_HISTORY);
    expect(living(desk.with(logits))).toEqual(Array.from({ length: 300 }, (_, i) => i));
    expect(Array.from(desk.candidates.logits)).toEqual(logits);
  });
});

describe('the chain', () => {
  const names = (options: Partial<typeof NEUTRAL>) => samplerChain({ ...NEUTRAL, ...options }).length;

  test('holds only what the options ask for', () => {
    expect(names({})).toBe(0);
    expect(names({ temperature: 0 })).toBe(1);
    expect(samplerChain({ ...NEUTRAL, temperature: 1e-9 })).toEqual([greedy]);
    expect(names({ temperature: 0, topK: 5, topP: 0.5, repetitionPenalty: 1.1 })).toBe(2);
    expect(names({ temperature: 0.8, topK: 5, topP: 0.5, minP: 0.1, typicalP: 0.9, presencePenalty: 1, logitBias: new Map([[1, 1]]) })).toBe(7);
    expect(names({ presencePenalty: 1, penaltyWindow: 0 })).toBe(0);
  });

  test("takes the caller's own list, behind the penalties and before the cuts", () => {
    const own: Sampler[] = [(c) => c.truncate(1)];
    expect(samplerChain({ ...NEUTRAL, samplers: own })).toEqual(own);
    expect(samplerChain({ ...NEUTRAL, presencePenalty: 1, temperature: 0, samplers: own }).slice(1)).toEqual([...own, greedy]);
    expect(samplerChain({ ...NEUTRAL, temperature: 0.3, topK: 2, samplers: own })[0]).toBe(own[0]);
  });
});
