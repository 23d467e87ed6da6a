import { describe, expect, test } from 'vitest';
import { StonechatError } from '../../src/errors.js';
import { didYouMean, nearest } from '../../src/generate/nearest.js';
import { checkOptions } from '../../src/generate/options.js';
import type { GenerateOptions } from '../../src/generate/types.js';

const check = (options: unknown) => checkOptions(options as GenerateOptions, 100);

function refusal(options: unknown): StonechatError {
  try {
    check(options);
  } catch (error) {
    if (error instanceof StonechatError) return error;
    throw error;
  }
  throw new Error(`${JSON.stringify(options)} was accepted`);
}

const BAD: [keyof GenerateOptions, unknown[]][] = [
  ['maxTokens', [-1, 1.5, NaN, Infinity, '5', null, 2 ** 60]],
  ['temperature', [-0.1, NaN, Infinity, '0.5', 101, {}, null]],
  ['topK', [-1, 0.5, NaN, '40', Infinity]],
  ['topP', [-0.1, 1.1, NaN, '1']],
  ['minP', [-0.1, 1.1, NaN]],
  ['typicalP', [-1, 2, NaN]],
  ['repetitionPenalty', [0, -1, NaN, Infinity, 1000]],
  ['presencePenalty', [NaN, Infinity, 101, '1']],
  ['frequencyPenalty', [NaN, -Infinity, -101]],
  ['penaltyWindow', [-2, 0.5, NaN, Infinity]],
  ['logitBias', [5, [1], null, { 100: 1 }, { '-1': 1 }, { a: 1 }, { '': 1 }, { 1: NaN }, { 1: Infinity }, { 1: '2' }, new Map([[1.5, 1]]), new Map([['x', 1]])]],
  ['samplers', [() => {}, [1], 'topK']],
  ['seed', [-1, 1.5, NaN, 2 ** 53, -1n, 1n << 64n, '42']],
  ['stop', ['', [''], [1], 5, ['ok', '']]],
  ['stopIds', [5, [100], [-1], [1.5], ['1']]],
  ['ignoreEos', [1, 'yes', null]],
  ['reusePrefix', [0]],
  ['overflow', ['shift', true]],
  ['top', [-1, 101, 1.5]],
  ['hashLogits', ['true']],
  ['constraint', [{}, 5, () => 1, { mask() {}, accept() {}, fork() {} }]],
  ['dryMultiplier', [-1, 101, NaN]],
  ['dryBase', [0.9, Infinity]],
  ['dryAllowedLength', [-1, 1.5]],
  ['dryPenaltyLastN', [-2, 0.5]],
  ['drySequenceBreakers', ['x', [''], [5], ['ä'.repeat(21)]]],
  ['topNSigma', [-2, 'x']],
  ['dynatempRange', [-0.1, 101]],
  ['dynatempExponent', [-1, NaN]],
  ['xtcProbability', [-0.1, 1.1]],
  ['xtcThreshold', [-0.1, 1.1]],
  ['mirostat', [1, 3, true, '2']],
  ['mirostatTau', [-1, 101]],
  ['mirostatEta', [-1, 101]],
  ['addSpecial', [1]],
  ['parseSpecial', ['no']],
  ['contents', ['parsed', true]],
  ['signal', [{}, 5, new AbortController()]],
  ['onProgress', [true]],
];

test.each(BAD)('%s out of its range is refused by name, value and range', (name, values) => {
  for (const value of values) {
    const error = refusal({ [name]: value });
    expect(error.code).toBe('bad-option');
    expect(error.expected).toContain(`${name} to be`);
    expect(error.found.length).toBeGreaterThan(0);
    expect(error.remedy).toMatch(/^Leave it out for .+\.$/);
  }
  expect(() => check({ [name]: undefined })).not.toThrow();
});

test('every option is covered above', () => {
  const error = refusal({ quux: 1 });
  const listed = error.remedy.match(/There are (.+)\./)![1]!.split(', ');
  expect(BAD.map(([name]) => name).sort()).toEqual(listed.sort());
});

test('messages', () => {
  expect(refusal({ temperature: NaN }).message).toBe('Expected temperature to be a number from 0 to 100, found NaN. Leave it out for 0.8.');
  expect(refusal({ max_tokens: 5 }).message).toBe('Expected options of generate(), found max_tokens. Did you mean maxTokens?');
  expect(refusal({ temprature: 5 }).message).toContain('Did you mean temperature?');
  expect(refusal({ __proto__: null, constructor: 5 }).message).toContain('found constructor');
  expect(refusal('hello').message).toContain('an object of options, found "hello"');
  expect(refusal({ mirostat: 2, topK: 5 }).message).toContain('both mirostat and topK');
  expect(() => check({ mirostat: 0, topK: 5 })).not.toThrow();
});

describe('accepted', () => {
  test('nothing: the defaults', () => {
    const { seed, ...rest } = check(undefined);
    expect(typeof seed).toBe('bigint');
    expect(rest).toEqual({
      maxTokens: undefined, temperature: 0.8, topK: 0, topP: 1, minP: 0, typicalP: 1, repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0,
      penaltyWindow: 64, logitBias: new Map(), samplers: undefined, more: undefined, constraint: undefined, stop: [], stopIds: new Set(), ignoreEos: false, reusePrefix: true, overflow: 'error',
      top: 5, hashLogits: false, addSpecial: true, parseSpecial: undefined, contents: 'text', signal: undefined, onProgress: undefined,
    });
  });

  test('every form', () => {
    const settings = check({ seed: (1n << 64n) - 1n, stop: 'x', stopIds: [3], logitBias: { 5: -Infinity }, topK: 1e9, signal: new AbortController().signal });
    expect(settings.seed).toBe((1n << 64n) - 1n);
    expect(settings.stop).toEqual(['x']);
    expect(settings.stopIds).toEqual(new Set([3]));
    expect(settings.logitBias).toEqual(new Map([[5, -Infinity]]));
    expect(check({ logitBias: new Map([[7, 1.5]]), seed: 42 })).toMatchObject({ logitBias: new Map([[7, 1.5]]), seed: 42n });
    expect(checkOptions({}, 3).top).toBe(3);
    expect(check({ samplers: [], topK: 5 })).toMatchObject({ samplers: [], temperature: 1, topK: 5 });
    expect(check({ xtcProbability: 0.5, dryBase: 2 }).more).toMatchObject({ xtcProbability: 0.5, xtcThreshold: 0.1, dryMultiplier: 0, dryBase: 2 });
    expect(check({ dryBase: 2, topNSigma: -1, mirostatTau: 3 }).more).toBeUndefined();
  });
});

test('the nearest name', () => {
  const names = ['temperature', 'topK', 'topP', 'maxTokens', 'seed'];
  expect(nearest('top-k', names)).toBe('topK');
  expect(nearest('tempreature', names)).toBe('temperature');
  expect(nearest('sede', names)).toBe('seed');
  expect(nearest('banana', names)).toBeUndefined();
  expect(nearest('', names)).toBeUndefined();
  expect(didYouMean('max-token', names, (name) => `--${name}`)).toBe(' Did you mean --maxTokens?');
});
