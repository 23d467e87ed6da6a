// The samplers that few ask for: against plain f64 twins, and against llama.cpp's own (llama-cpp.json, made by llama-cpp.py).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { load } from '../../src/entry/node.js';
import { type Dry, dry, dynamicTemperature, mirostat, sequenceBreakers, topNSigma, xtc } from '../../src/entry/samplers.js';
import { buildSampler, minP, type Sampler, samplerChain, topK, topP, typicalP } from '../../src/sample/index.js';
import { moreSamplers } from '../../src/sample/more.js';
import { Xorshift64Star } from '../../src/sample/random.js';
import type { MoreOptions } from '../../src/sample/types.js';
import type { Tokenizer } from '../../src/text/types.js';
import { buildsHere, random } from '../kernels/support.js';
import * as reference from './reference.js';
import { Desk, historyOf, NEUTRAL, NO_HISTORY } from './support.js';

const desks = new Map<number, Desk>();
const deskOf = (size: number) => desks.get(size) ?? desks.set(size, new Desk(size)).get(size)!;
const always = () => 0;

/** Ids that can still be drawn, ascending. */
function possible({ ids, logits, size }: Desk['candidates']): number[] {
  return Array.from(ids.subarray(0, size)).filter((_, i) => logits[i]! > -Infinity).sort((a, b) => a - b);
}

/** Probabilities of those, by id. */
function probabilitiesOf(candidates: Desk['candidates']): [number, number][] {
  candidates.softmax();
  const { ids, logits, probabilities, mass, size } = candidates;
  const all = Array.from({ length: size }, (_, i) => [ids[i]!, probabilities[i]! / mass, logits[i]!] as const);
  return all.filter(([, , logit]) => logit > -Infinity).sort((a, b) => a[0] - b[0]).map(([id, p]) => [id, p]);
}

function after(sampler: Sampler, logits: readonly number[], ids: readonly number[] = []): Desk['candidates'] {
  const candidates = deskOf(logits.length).with(logits);
  candidates.random = always;
  sampler(candidates, historyOf(ids));
  return candidates;
}

function expectNear(got: readonly (readonly [number, number])[], wanted: readonly (readonly [number, number])[], within: number): void {
  expect(got.map(([id]) => id)).toEqual(wanted.map(([id]) => id));
  got.forEach(([, p], i) => expect(Math.abs(p - wanted[i]![1])).toBeLessThan(within));
}

interface Golden {
  logits: number[][];
  sigma: { logits: number; n: number; kept: number[] }[];
  xtc: { logits: number; threshold: number; kept: number[] }[];
  dynamic: { logits: number; degree: number; range: number; exponent: number; probabilities: [number, number][] }[];
  mirostat: { tau: number; eta: number; steps: { logits: number; kept: number[]; id: number; probability: number }[] }[];
  dry: (Omit<Required<Dry>, 'breakers'> & { history: number; breakers: string[]; penalties: [number, number][] })[];
  chains: { logits: number; history: number[]; topK: number; topP: number; minP: number; xtc: number; probabilities: [number, number][] }[];
  histories: number[][];
  vocabulary: number;
}
const golden = JSON.parse(readFileSync(join(import.meta.dirname, 'llama-cpp.json'), 'utf8')) as Golden;

let tokenizer: Tokenizer;
beforeAll(async () => {
  using model = await load('models/default.gguf', { threads: 1 });
  tokenizer = model.tokenizer;
});

describe('as llama.cpp', () => {
  test('top-n-sigma', () => {
    for (const { logits, n, kept } of golden.sigma) expect(possible(after(topNSigma(n), golden.logits[logits]!))).toEqual(kept);
  });

  test('XTC', () => {
    for (const { logits, threshold, kept } of golden.xtc) {
      const candidates = after(xtc({ probability: 1, threshold }), golden.logits[logits]!);
      expect(possible(candidates)).toEqual(kept);
    }
  });

  test('dynamic temperature', () => {
    for (const { logits, degree, range, exponent, probabilities } of golden.dynamic) {
      const candidates = after(dynamicTemperature({ temperature: degree, range, exponent }), golden.logits[logits]!);
      expectNear(probabilitiesOf(candidates), probabilities, 2e-6);
    }
  });

  test('mirostat 2, told what llama.cpp drew', () => {
    for (const { tau, eta, steps } of golden.mirostat) {
      const sampler = mirostat({ tau, eta });
      for (const { logits, kept, id, probability } of steps) {
        const candidates = after(sampler, golden.logits[logits]!);
        expect(possible(candidates)).toEqual(kept);
        const own = probabilitiesOf(candidates).find(([other]) => other === id)![1];
        expect(Math.abs(own - probability)).toBeLessThan(2e-6);
        sampler.accept!(id, own);
      }
    }
  });

  test('DRY, with breakers as texts', () => {
    const flat = new Array<number>(golden.vocabulary).fill(0);
    let penalised = 0;
    for (const { history, breakers, penalties, ...kind } of golden.dry) {
      const sampler = dry({ ...kind, breakers: sequenceBreakers(tokenizer, breakers) });
      const { logits } = after(sampler, flat, golden.histories[history]);
      const got = [...logits].flatMap((x, id) => (x !== 0 ? [[id, -x] as const] : []));
      expect(got.map(([id]) => id), JSON.stringify({ history, breakers })).toEqual(penalties.map(([id]) => id));
      got.forEach(([, x], i) => expect(Math.abs(x / penalties[i]![1] - 1)).toBeLessThan(1e-6));
      penalised += penalties.length;
    }
    expect(penalised).toBeGreaterThan(100);
  });

  test('all of them in its order, as a list', () => {
    for (const { logits, history, probabilities, ...cuts } of golden.chains) {
      const list = [
        dry({ multiplier: 0.8 }), topNSigma(2), topK(cuts.topK), typicalP(0.98), topP(cuts.topP), minP(cuts.minP),
        xtc({ probability: cuts.xtc }), dynamicTemperature({ temperature: 0.8, range: 0.4 }),
      ];
      const candidates = deskOf(golden.logits[logits]!.length).with(golden.logits[logits]!);
      candidates.random = always;
      for (const sampler of list) sampler(candidates, historyOf(history));
      expectNear(probabilitiesOf(candidates), probabilities, 2e-5);
    }
  });
});

describe('against plain f64 twins', () => {
  const someLogits = (size: number, seed: number): number[] => {
    const next = random(seed);
    return Array.from({ length: size }, () => Math.fround(-6 * Math.log(next() + 1e-9) * (next() < 0.2 ? 1 : 0.3) + 3 * next()));
  };
  const cases: [string, Sampler, (logits: readonly number[]) => number[]][] = [
    ...[0.2, 1, 3].map((n): (typeof cases)[number] => [`top-n-sigma ${n}`, topNSigma(n), (x) => reference.topNSigma(x, n)]),
    ...[0.05, 0.1, 0.4].map((t): (typeof cases)[number] => [`XTC ${t}`, xtc({ probability: 1, threshold: t }), (x) => reference.xtc(x, t)]),
    ['mirostat 2', mirostat({ tau: 2 }), (x) => reference.boundSurprise(x, 4)],
    ['dynamic temperature', dynamicTemperature({ temperature: 1, range: 0.7, exponent: 1.5 }), (x) => reference.dynamicTemperature(x, 1, 0.7, 1.5)],
  ];

  test.each(cases)('%s', (_, sampler, plain) => {
    for (const size of [2, 3, 31, 300, 1000]) {
      for (const seed of [1, 2, 3]) {
        const logits = someLogits(size, seed * 1000 + size);
        const wanted = plain(logits);
        const probabilities = reference.softmax(wanted).map((p, id) => [id, p] as const).filter(([id]) => wanted[id]! > -Infinity);
        expectNear(probabilitiesOf(after(sampler, logits)), probabilities, 2e-6);
      }
    }
  });

  test('DRY over seeded repetitions, windows and breakers of several tokens', () => {
    const next = random(5);
    const below = (n: number) => Math.floor(next() * n);
    let penalised = 0;
    for (let round = 0; round < 400; round++) {
      const letters = 2 + below(3);
      const ids = Array.from({ length: below(60) }, () => below(letters));
      const breakers = Array.from({ length: below(3) }, () => Array.from({ length: 1 + below(3) }, () => below(letters + 1)));
      const kind = { multiplier: 0.5 + next(), base: 1 + next(), allowedLength: below(4) };
      const penaltyLastN = [-1, 0, 1, 10, 40, 1000][below(6)]!;
      const heads = new Map(breakers.map(([head]) => [head!, breakers.filter(([other]) => other === head).map((b) => Int32Array.from(b.slice(1)))]));
      const { logits } = after(dry({ ...kind, penaltyLastN, breakers: heads }), new Array<number>(8).fill(0), ids);
      const wanted = reference.dry(penaltyLastN < 0 ? ids : ids.slice(Math.max(0, ids.length - penaltyLastN)), { ...kind, breakers });
      const shown = JSON.stringify({ ids, breakers, kind, penaltyLastN });
      for (let id = 0; id < 8; id++) expect(Math.abs(-logits[id]! / (wanted.get(id) ?? 1) - (wanted.has(id) ? 1 : 0)), shown).toBeLessThan(1e-6);
      penalised += wanted.size;
    }
    expect(penalised).toBeGreaterThan(200);
  });

  test('DRY costs time in proportion to its window, whatever repeats', () => {
    const sampler = dry({ multiplier: 1, penaltyLastN: -1 });
    const { logits } = after(sampler, [0, 0], new Array<number>(200_000).fill(1));
    expect(logits[0]).toBe(0);
    expect(logits[1]).toBeLessThan(-1e30);
    expect(logits[1]).toBeGreaterThan(-Infinity);
  });
});

describe('XTC', () => {
  test('acts as often as it is told to, by numbers from the seed', () => {
    const desk = deskOf(3).set([2, 2, 0]);
    const drawn = (seed: bigint) => {
      const pick = buildSampler({ ...NEUTRAL, samplers: [xtc({ probability: 0.25 })] }, desk.candidates, new Xorshift64Star(seed));
      return Array.from({ length: 4000 }, () => pick(desk.address, NO_HISTORY));
    };
    const ids = drawn(3n);
    expect(drawn(3n)).toEqual(ids);
    // Of the two top choices the later goes first among equals: id 0 is drawn only where XTC does not act.
    expect(ids.filter((id) => id === 0).length / 4000).toBeCloseTo((0.75 * Math.exp(2)) / (2 * Math.exp(2) + 1), 1);
  });
});

describe('mirostat 2', () => {
  const flat = Array.from({ length: 500 }, (_, i) => Math.fround(-i / 60));

  test('brings the surprise of what is drawn to tau', () => {
    const desk = deskOf(500).set(flat);
    for (const tau of [2, 4, 6]) {
      const pick = buildSampler({ ...NEUTRAL, samplers: [mirostat({ tau })] }, desk.candidates, new Xorshift64Star(9n));
      const seen: number[] = [];
      const observe = mirostat({ tau });
      const watched = Object.assign((...given: Parameters<Sampler>) => observe(...given), {
        accept: (id: number, p: number) => {
          observe.accept!(id, p);
          seen.push(-Math.log2(p));
        },
      }) as Sampler;
      const watching = buildSampler({ ...NEUTRAL, samplers: [watched] }, desk.candidates, new Xorshift64Star(9n));
      for (let i = 0; i < 3000; i++) expect(watching(desk.address, NO_HISTORY)).toBe(pick(desk.address, NO_HISTORY));
      const mean = seen.slice(500).reduce((sum, bits) => sum + bits, 0) / (seen.length - 500);
      expect(Math.abs(mean - tau)).toBeLessThan(0.1);
    }
  });

  test('has a state of each generation: a list that is used again, or by two at once, gives the same', () => {
    const desk = deskOf(500).set(flat);
    const samplers = [mirostat({ tau: 3, eta: 0.5 })];
    const start = () => buildSampler({ ...NEUTRAL, samplers }, desk.candidates, new Xorshift64Star(4n));
    const run = (pick: ReturnType<typeof start>) => Array.from({ length: 100 }, () => pick(desk.address, NO_HISTORY));
    const [first, second, third] = [start(), start(), start()];
    const alone = run(first);
    const together = Array.from({ length: 100 }, () => [second(desk.address, NO_HISTORY), third(desk.address, NO_HISTORY)]);
    expect(together.map(([a]) => a)).toEqual(alone);
    expect(together.map(([, b]) => b)).toEqual(alone);
  });

  test('a fork goes on from the state it has, apart from the other', () => {
    const one = mirostat({ tau: 5, eta: 1 });
    after(one, flat);
    one.accept!(0, 2 ** -8);
    const two = one.fork!();
    one.accept!(0, 0.5);
    const left = possible(after(two, flat));
    expect(left).toHaveLength(possible(after(mirostat({ tau: 3.5 }), flat)).length);
    expect(possible(after(one, flat)).length).toBeGreaterThan(left.length);
  });
});

const OFF: MoreOptions = {
  dryMultiplier: 0, dryBase: 1.75, dryAllowedLength: 2, dryPenaltyLastN: 64, drySequenceBreakers: ['\n'], topNSigma: 0, dynatempRange: 0, dynatempExponent: 1,
  xtcProbability: 0, xtcThreshold: 0.1, mirostat: 0, mirostatTau: 5, mirostatEta: 0.1,
};

describe('the chain', () => {
  const lengthOf = (more: Partial<MoreOptions>, options: Partial<typeof NEUTRAL> = {}) =>
    samplerChain({ ...NEUTRAL, ...options }, moreSamplers({ ...OFF, ...more }, options.temperature ?? 1, tokenizer)).length;

  test('holds what is on', () => {
    expect(lengthOf({})).toBe(0);
    expect(lengthOf({ topNSigma: -1 })).toBe(0);
    expect(lengthOf({ dryMultiplier: 1, topNSigma: 1, xtcProbability: 0.5, dynatempRange: 0.5 })).toBe(4);
    expect(lengthOf({ mirostat: 2 }, { temperature: 0.7 })).toBe(2);
    expect(lengthOf({ dynatempRange: 0.5 }, { temperature: 0.7 }), 'in place of the fixed temperature').toBe(1);
  });

  test('own samplers stand behind the penalties and before the cuts', () => {
    const seen: number[] = [];
    const own: Sampler = (candidates) => void seen.push(candidates.size, candidates.logits[1]!);
    const options = { ...NEUTRAL, topK: 2, samplers: [own], logitBias: new Map([[1, 5]]) };
    const desk = deskOf(4).set([0, 0, 1, 2]);
    expect(buildSampler({ ...options, temperature: 0 }, desk.candidates, new Xorshift64Star(1n))(desk.address, NO_HISTORY)).toBe(1);
    expect(seen).toEqual([4, 5]);
  });

  test('gives the same ids on every build', () => {
    const next = random(8);
    const rows = Array.from({ length: 60 }, () => Array.from({ length: 400 }, () => Math.fround(next() * 12)));
    const kinds: [Partial<MoreOptions>, Partial<typeof NEUTRAL>][] = [
      [{ dryMultiplier: 0.8, topNSigma: 1.5, xtcProbability: 0.5, xtcThreshold: 0.02, dynatempRange: 0.6, dynatempExponent: 1.3 }, { temperature: 0.9, topK: 100, topP: 0.95 }],
      [{ mirostat: 2, mirostatTau: 4 }, { temperature: 0.8 }],
    ];
    const drawn = buildsHere().map((build) => {
      const desk = new Desk(400, build);
      return kinds.map(([more, options]) => {
        const given = moreSamplers({ ...OFF, ...more }, options.temperature!, tokenizer);
        const pick = buildSampler({ ...NEUTRAL, ...options }, desk.candidates, new Xorshift64Star(6n), given);
        const ids: number[] = [];
        for (const row of rows) ids.push(pick(desk.set(row).address, historyOf(ids)));
        return ids;
      });
    });
    expect(drawn.length).toBeGreaterThan(1);
    for (const other of drawn) expect(other).toEqual(drawn[0]);
  });
});

test.each<[string, () => unknown]>([
  ['dry of no object', () => dry(null as never)],
  ['an option that it lacks', () => dry({ rate: 1 } as never)],
  ['dry', () => dry({ multiplier: -1 })],
  ['dry base', () => dry({ multiplier: 1, base: 0.5 })],
  ['dry window', () => dry({ multiplier: 1, penaltyLastN: -2 })],
  ['dry breakers', () => dry({ multiplier: 1, breakers: ['\n'] as never })],
  ['an empty breaker', () => sequenceBreakers(tokenizer, [''])],
  ['a long breaker', () => sequenceBreakers(tokenizer, ['x'.repeat(41)])],
  ['xtc', () => xtc({ probability: 1.1 })],
  ['xtc threshold', () => xtc({ probability: 1, threshold: NaN })],
  ['top-n-sigma', () => topNSigma(-1.1)],
  ['dynamic temperature', () => dynamicTemperature({ temperature: 1, range: -1 })],
  ['its exponent', () => dynamicTemperature({ temperature: 1, range: 1, exponent: -1 })],
  ['mirostat', () => mirostat({ tau: -1 })],
  ['mirostat eta', () => mirostat({ eta: '1' as never })],
])('%s: out of range is refused', (_, make) => {
  expect(make).toThrow(expect.objectContaining({ code: 'bad-option' }));
});
