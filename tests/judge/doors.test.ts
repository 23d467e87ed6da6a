// Wrong arguments end in a StonechatError, whatever they are.
import { expect, test } from 'vitest';
import { StonechatError } from '../../src/errors.js';
import * as judge from '../../src/judge/index.js';
import { toyReader } from './support.js';

const WRONG: readonly unknown[] = [undefined, null, 0, -1, NaN, 'text', '', true, Symbol('s'), [], {}, [null], [undefined], [1], [{}], [[]], () => 1, new Map(), Object.create(null)];
const reader = toyReader();
/** Calls with one right argument after another, so that wrong ones are met at every place. */
const CALLS: readonly (readonly [name: string, call: (...args: never[]) => unknown, right: readonly unknown[]])[] = [
  ['perplexity', judge.perplexity, [reader, 'abcd']], ['judgePairs', judge.judgePairs, [reader, [{ good: 'ab', bad: 'ba' }]]],
  ['judgeChoices', judge.judgeChoices, [reader, [{ prompt: 'a', choices: ['b', 'c'], answer: 0 }]]], ['judgeLastWords', judge.judgeLastWords, [reader, ['ab cd']]],
  ['trust', judge.trust, [[]]], ['standardError', judge.standardError, []], ['reliabilitySvg', judge.reliabilitySvg, []], ['trustHtml', judge.trustHtml, []],
  ['judgeContinuations', judge.judgeContinuations, []], ['Calibrator', (bins: never) => new judge.Calibrator(bins).result(), []], ['Calibrator.add', (token: never) => new judge.Calibrator().add(token), []],
];

test.each(CALLS)('%s', async (name, call, right) => {
  for (let place = 0; place <= right.length; place++) {
    for (const wrong of WRONG) {
      const args = [...right.slice(0, place), wrong, ...right.slice(place + 1)];
      try {
        await call(...(args as never[]));
      } catch (error) {
        if (!(error instanceof StonechatError)) throw new Error(`${name}, argument ${place}: ${String(error)} for ${typeof wrong}`, { cause: error });
        expect(['bad-option', 'bad-file']).toContain(error.code);
      }
    }
  }
});
