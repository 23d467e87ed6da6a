// Flags of samplers, by llama.cpp's names, to options of generate().
import { expect, test } from 'vitest';
import { readArguments } from '../../src/entry/cli/arguments.js';
import { speakFlags } from '../../src/entry/cli/flags.js';
import { answerOptions } from '../../src/entry/cli/loading.js';
import { ANSWER, LOADING } from '../../src/entry/cli/options.js';
import type { StonechatError } from '../../src/errors.js';
import { checkOptions } from '../../src/generate/options.js';

const optionsOf = (...argv: string[]) => answerOptions(readArguments(argv, [...ANSWER, ...LOADING]));
const MODEL = ['-m', 'x.gguf'];

test('every flag reaches its option', () => {
  const given = {
    'dry-multiplier': 0.8, 'dry-base': 1.5, 'dry-allowed-length': 3, 'dry-penalty-last-n': -1, 'top-nsigma': 1.5, 'dynatemp-range': 0.2, 'dynatemp-exp': 2,
    'xtc-probability': 0.5, 'xtc-threshold': 0.2,
  };
  const flags = Object.entries(given).flatMap(([name, value]) => `--${name}=${value}`);
  const { more } = checkOptions(optionsOf(...MODEL, ...flags), 300);
  expect(more).toEqual({
    dryMultiplier: 0.8, dryBase: 1.5, dryAllowedLength: 3, dryPenaltyLastN: -1, drySequenceBreakers: ['\n', ':', '"', '*'], topNSigma: 1.5, dynatempRange: 0.2,
    dynatempExponent: 2, xtcProbability: 0.5, xtcThreshold: 0.2, mirostat: 0, mirostatTau: 5, mirostatEta: 0.1,
  });
  const mirostat = checkOptions(optionsOf('--mirostat', '2', '--mirostat-lr', '0.3', '--mirostat-ent', '4'), 300);
  expect(mirostat.more).toMatchObject({ mirostat: 2, mirostatEta: 0.3, mirostatTau: 4 });
  expect([mirostat.minP, mirostat.frequencyPenalty], "what suits the package's own model does not go with it").toEqual([0, 0]);
});

test('sequence breakers add up; none takes back those before', () => {
  const breakers = (...texts: string[]) => optionsOf(...MODEL, ...texts.flatMap((text) => ['--dry-sequence-breaker', text])).drySequenceBreakers;
  expect(breakers()).toBeUndefined();
  expect(breakers('\\n', '. ')).toEqual(['\n', '. ']);
  expect(breakers('x', 'none')).toEqual([]);
  expect(breakers('none', 'x')).toEqual(['x']);
});

test.each([
  [['--mirostat', '1'], 'Expected --mirostat to be 0 (off) or 2, found 1.'],
  [['--mirostat-ent', '-1'], 'Expected --mirostat-ent to be a number from 0 to 100, found -1.'],
  [['--top-nsigma', '-2'], 'Expected --top-nsigma to be a number from -1 to 1000, found -2.'],
  [['--dynatemp-exp', '-1'], 'Expected --dynatemp-exp to be a number from 0 to 100, found -1.'],
  [['--mirostat', '2', '--top-k', '4'], 'Leave --top-k out.'],
])('%s is refused by the names of flags', (argv, message) => {
  const refused = () => {
    try {
      return checkOptions(optionsOf(...MODEL, ...argv), 300);
    } catch (error) {
      throw speakFlags(error as StonechatError, ANSWER);
    }
  };
  expect(refused).toThrow(message);
});
