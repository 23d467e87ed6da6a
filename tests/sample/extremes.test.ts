// Numbers at the edge of 32 bits: what is finite stays finite, and the order of what is likely stays.
import { describe, expect, test } from 'vitest';
import { buildSampler, logitBias, minP, penalties, samplerChain, temperature, topK, topP, typicalP } from '../../src/sample/index.js';
import { Xorshift64Star } from '../../src/sample/random.js';
import type { StonechatError } from '../../src/errors.js';
import { random } from '../kernels/support.js';
import { Desk, historyOf, NEUTRAL } from './support.js';

const SIZE = 100;
const LARGEST = (2 - 2 ** -23) * 2 ** 127;
const desk = new Desk(SIZE);
const ordinary = Float32Array.from({ length: SIZE }, (_, i) => Math.sin(i) * 8);

const pick = (options: Partial<typeof NEUTRAL>, logits: ArrayLike<number> = ordinary, ids: readonly number[] = []): number => {
  desk.set(logits);
  return buildSampler({ ...NEUTRAL, ...options }, desk.candidates, new Xorshift64Star(5n))(desk.address, historyOf(ids));
};

describe('a bias of the largest numbers', () => {
  test.each([1, 0.8, 0.1, 1e-3, 1e-4, 0])('is chosen at temperature %d', (degree) => {
    for (const bias of [1e30, 3e38, LARGEST]) expect(pick({ temperature: degree, logitBias: new Map([[50, bias]]) })).toBe(50);
  });

  test('the larger of two is chosen, whatever the temperature', () => {
    for (const degree of [0.8, 0.01, 2e-4]) expect(pick({ temperature: degree, logitBias: new Map([[3, 3.1e38], [50, 3.3e38]]) })).toBe(50);
  });

  test('the least unlikely of all is still chosen', () => {
    const bias = new Map(Array.from(ordinary.keys(), (id) => [id, id === 7 ? -3e38 : -3.3e38] as const));
    for (const degree of [1, 0.8, 0.01]) expect(pick({ temperature: degree, logitBias: bias })).toBe(7);
  });

  test.each([
    { topK: 3 }, { topP: 0.9 }, { minP: 0.1 }, { typicalP: 0.5 }, { topK: 10, topP: 0.5, minP: 0.2, typicalP: 0.9 }, { repetitionPenalty: 100 }, { repetitionPenalty: 0.01 },
    { presencePenalty: 100, frequencyPenalty: 100 },
  ])('through %o', (more) => {
    for (const degree of [1, 0.5]) expect(pick({ ...more, temperature: degree, logitBias: new Map([[50, 3.3e38]]) }, ordinary, [1, 2, 2, 50])).toBe(50);
  });
});

test('seeded chains over seeded extremes make no infinities, and forbid none but what was forbidden', () => {
  const next = random(11);
  const extreme = () => [0, 1e-30, 5, 1e20, 3e38, LARGEST][Math.floor(next() * 6)]! * (next() < 0.5 ? 1 : -1);
  const choose = (values: readonly number[]) => values[Math.floor(next() * values.length)]!;
  for (let round = 0; round < 2000; round++) {
    const logits = Float32Array.from({ length: SIZE }, (_, i) => (next() < 0.3 ? extreme() : ordinary[i]!));
    const forbidden = Math.floor(next() * SIZE);
    const options = {
      ...NEUTRAL,
      temperature: choose([1e-4, 1e-3, 0.5, 0.8, 1, 100]), repetitionPenalty: choose([0.01, 1, 1.3, 100]), frequencyPenalty: choose([-100, 0, 100]), presencePenalty: choose([-100, 0, 100]),
      logitBias: new Map([[Math.floor(next() * SIZE), extreme()], [forbidden, -Infinity]]),
    };
    const ids = Array.from({ length: 20 }, () => Math.floor(next() * SIZE));
    const candidates = desk.with(logits);
    for (const sampler of samplerChain(options)) sampler(candidates, historyOf(ids));
    const { size } = candidates;
    for (let i = 0; i < size; i++) {
      const finite = Number.isFinite(candidates.logits[i]!);
      // Far below the likeliest, a quotient may leave the range: a probability of 0 all the same.
      if (candidates.ids[i] === forbidden) expect(candidates.logits[i]).toBe(-Infinity);
      else if (!finite) expect([candidates.logits[i], options.temperature < 1]).toEqual([-Infinity, true]);
    }
    candidates.softmax();
    expect(candidates.probabilities.subarray(0, size).every((p) => p >= 0 && p <= 1)).toBe(true);
    expect(candidates.logits[candidates.best()]).toBeGreaterThan(-Infinity);
    expect(pick(options, logits, ids)).not.toBe(forbidden);
  }
});

test.each<[string, () => unknown]>([
  ['logitBias of Infinity', () => logitBias(new Map([[1, Infinity]]))], ['logitBias beyond 32 bits', () => logitBias(new Map([[1, 1e39]]))], ['logitBias of NaN', () => logitBias(new Map([[1, NaN]]))],
  ['temperature below 0', () => temperature(-1)], ['temperature NaN', () => temperature(NaN)], ['temperature Infinity', () => temperature(Infinity)],
  ['topK below 0', () => topK(-1)], ['topP 2', () => topP(2)], ['minP NaN', () => minP(NaN)], ['typicalP text', () => typicalP('1' as unknown as number)],
  ['repetition 0', () => penalties({ repetition: 0, presence: 0, frequency: 0, window: 64 })],
  ['no window', () => penalties({ repetition: 1, presence: 0, frequency: 0 } as Parameters<typeof penalties>[0])],
])('%s is refused at the door', (_, make) => {
  expect(make).toThrow(expect.objectContaining<Partial<StonechatError>>({ code: 'bad-option' }));
});
