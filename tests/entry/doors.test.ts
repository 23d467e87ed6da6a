// Every public export given wrong arguments, at every place: what is thrown is a StonechatError. Some wrong values are no harm.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { syntheticModel } from '../../src/bench/synthetic.js';
import * as bench from '../../src/entry/bench-node.js';
import * as judge from '../../src/entry/judge.js';
import * as stonechat from '../../src/entry/node.js';
import * as samplers from '../../src/entry/samplers.js';
import * as training from '../../src/entry/train-node.js';
import { StonechatError } from '../../src/errors.js';

const BARE: unknown = Object.create(null);
const RING: unknown[] = [];
RING.push(RING);
const WRONG: readonly unknown[] = [
  undefined, null, 0, -1, 1.5, NaN, 1e99, 'text', '', true, 1n, Symbol('s'), [], {}, [null], [1.5], [1e99], [{}], [BARE], [Symbol('s')], [[]], () => 1,
  new Map(), new Map([[BARE, 1]]), new Map([[1, BARE]]), BARE, RING, { toString: 1, length: 1e99 }, new Date(NaN), new Uint8Array(3), new Array(1e6).fill(7),
];

type Call = (...args: never[]) => unknown;
/** What is called, and right arguments: a wrong one takes the place of each. */
type Door = readonly [name: string, call: Call, right: readonly unknown[]];

async function attempt(call: Call, args: readonly unknown[]): Promise<unknown> {
  try {
    const given = await call(...(args as never[]));
    if (typeof given === 'object' && given !== null && Symbol.asyncIterator in given) for await (const _ of given as AsyncIterable<unknown>);
    else if (typeof given === 'object' && given !== null && 'next' in given) for (const _ of given as unknown as Iterable<unknown>);
    return undefined;
  } catch (error) {
    return error instanceof StonechatError && error.expected && error.found && error.remedy ? undefined : error;
  }
}

/** Calls that ended in another error. */
async function rawErrors([name, call, right]: Door): Promise<string[]> {
  const raw: string[] = [];
  for (let place = 0; place < right.length; place++) {
    for (const [i, wrong] of WRONG.entries()) {
      const error = await attempt(call, [...right.slice(0, place), wrong, ...right.slice(place + 1)]);
      if (error !== undefined) raw.push(`${name}, argument ${place}, wrong value ${i}: ${error instanceof Error ? error.stack?.split('\n').slice(0, 3).join(' ') : typeof error}`);
    }
  }
  return raw;
}

const REPORT = {
  schema: 1, quick: true, lines: [], proof: { kernels: 1, variants: [], disagreements: [] },
  machine: { processors: 1, runtime: 'Node', builds: ['simd'], threads: [1], limits: [] },
};
const NGRAMS = training.learnNgrams([[0, 1, 2, 1, 0]], { vocabularySize: 3, order: 2 });
const TEXT = 'the cat sat on the mat. the cat ate. the rat sat on the cat. ';
/** Measures nothing: what would be right is refused for its last option. */
const noBench = (options: object) => bench.bench(Object(options) === options && !Array.isArray(options) && typeof options !== 'function' ? { ...options, kernels: ['none such'] } : (options ?? (null as never)));

let model: stonechat.Model;
beforeAll(async () => void (model = await stonechat.load(await syntheticModel(), { threads: 1, contextLength: 64 })));
afterAll(() => model.dispose());

const PENALTIES = { repetition: 1, presence: 0, frequency: 0, window: 1 };
const DOORS: Readonly<Record<string, readonly Door[]>> = {
  stonechat: [
    ['StonechatError', (details: never) => new StonechatError(details), [{}]],
    ['load', stonechat.load as Call, ['none', {}]], ['loadTokenizer', stonechat.loadTokenizer as Call, ['none', {}]], ['estimate', stonechat.estimate as Call, ['none', {}]],
    ['loadInWorker', stonechat.loadInWorker as Call, ['none', {}]],
    ['greedy', stonechat.greedy as Call, []], ['topK', stonechat.topK, [1]], ['temperature', stonechat.temperature, [1]], ['minP', stonechat.minP, [0]], ['topP', stonechat.topP, [1]],
    ['typicalP', stonechat.typicalP, [1]], ['logitBias', stonechat.logitBias as Call, [new Map()]], ['penalties', stonechat.penalties as Call, [PENALTIES]],
    ...Object.keys(PENALTIES).map((name): Door => ['penalties', (wrong: never) => stonechat.penalties({ ...PENALTIES, [name]: wrong }), [1]]),
  ],
  'stonechat/samplers': [
    ['dry', samplers.dry as Call, [{ multiplier: 1 }]],
    ['dry', (wrong: never) => samplers.dry({ multiplier: 1, breakers: wrong }), [new Map()]],
    ['sequenceBreakers', (wrong: never, texts: never) => samplers.sequenceBreakers(wrong, texts), [undefined, ['x']]],
    ['sequenceBreakers', (texts: never) => samplers.sequenceBreakers(model.tokenizer, texts), [['x']]],
    ['dynamicTemperature', samplers.dynamicTemperature as Call, [{ temperature: 1, range: 1 }]],
    ['mirostat', samplers.mirostat as Call, [{}]],
    ['topNSigma', samplers.topNSigma, [1]],
    ['xtc', samplers.xtc as Call, [{ probability: 1 }]],
  ],
  'stonechat/train': [
    ['train', training.train as Call, ['x', { steps: 1 }]], ['compare', training.compare as Call, ['x', { steps: 1 }]], ['finetune', training.finetune as Call, ['none', [], {}]],
    ['merge', training.merge as Call, ['none', { lora: [] }]], ['merge', (lora: never) => training.merge('none', { lora }), [[]]], ['convert', training.convert as Call, ['none', {}]],
    ['learnTokenizer', training.learnTokenizer as Call, [TEXT, { vocabularySize: 262 }]],
    ...['vocabularySize', 'specialTokens', 'bos', 'eos', 'addBos', 'pattern', 'leastCount', 'kernels', 'trainKernels'].map((name): Door =>
      ['learnTokenizer', (wrong: never) => training.learnTokenizer(TEXT, { vocabularySize: 262, [name]: wrong }), [1]]),
    ['learnNgrams', training.learnNgrams as Call, [[[0, 1, 2]], { vocabularySize: 3 }]],
    ['learnNgrams', (order: never, vocabularySize: never) => training.learnNgrams([[0, 1, 2]], { order, vocabularySize }), [2, 3]],
    ['NgramModel', (content: never) => new training.NgramModel(content), [NGRAMS.content]],
    ...Object.keys(NGRAMS.content).map((name): Door => ['NgramModel', (wrong: never) => new training.NgramModel({ ...NGRAMS.content, [name]: wrong }), [1]]),
    ['NgramModel.probability', (context: never, token: never) => NGRAMS.probability(context, token), [[0], 1]],
    ['NgramModel.distribution', (context: never, out: never) => NGRAMS.distribution(context, out), [[0], new Float64Array(3)]], ['NgramModel.score', (ids: never) => NGRAMS.score(ids), [[0, 1]]],
    ['readNgrams', training.readNgrams as Call, [new Uint8Array(20), 'name']], ['writeNgrams', training.writeNgrams as Call, [NGRAMS]],
    ['generateNgrams', training.generateNgrams as Call, [NGRAMS, [0], { maxTokens: 2 }]],
    ...['maxTokens', 'seed', 'stopIds', 'temperature', 'topK', 'penaltyWindow', 'repetitionPenalty', 'logitBias', 'samplers'].map((name): Door =>
      ['generateNgrams', (wrong: never) => training.generateNgrams(NGRAMS, [0], { maxTokens: 2, [name]: wrong }), [1]]),
  ],
  'stonechat/bench': [
    ['bench', noBench as Call, [{}]], ...['model', 'threads', 'builds', 'quick', 'onProgress'].map((name): Door => ['bench', (wrong: never) => noBench({ [name]: wrong }), [1]]),
    ['bench', (kernels: never) => bench.bench({ kernels: kernels === undefined || Array.isArray(kernels) && !(kernels as unknown[]).length ? ['none such'] : kernels }), [1]],
    ['openKernel', bench.openKernel as Call, ['none', 'simd', true]], ['baselineOf', bench.baselineOf as Call, [REPORT]], ['reportText', bench.reportText as Call, [REPORT]],
    ['changesSince', bench.changesSince as Call, [bench.baselineOf(REPORT as never), REPORT]], ['comparable', bench.comparable as Call, [bench.baselineOf(REPORT as never), REPORT]],
    ['comparisonText', bench.comparisonText as Call, [bench.baselineOf(REPORT as never), REPORT]],
    ...Object.keys(REPORT).map((name): Door => ['reportText', (wrong: never) => bench.reportText({ ...REPORT, [name]: wrong } as never), [1]]),
  ],
};

describe('wrong arguments', () => {
  it.each(Object.keys(DOORS))('of %s', { timeout: 300_000 }, async (entry) => {
    const raw: string[] = [];
    for (const door of DOORS[entry]!) raw.push(...(await rawErrors(door)));
    expect(raw).toEqual([]);
  });

  it('of a model, a session and a tokenizer', { timeout: 300_000 }, async () => {
    const session = model.createSession();
    const { tokenizer } = model;
    const few = { maxTokens: 1, temperature: 0 };
    const doors: Door[] = [
      ...[model, session].flatMap((each): Door[] => [['generate', each.generate.bind(each) as Call, ['a', few]], ['score', each.score.bind(each) as Call, ['a', {}]], ['append', each.append.bind(each) as Call, ['a', {}]]]),
      ['restoreSession', model.restoreSession.bind(model) as Call, [new Uint8Array(3)]],
      ['logits', model.logits.bind(model) as Call, ['a', {}]], ['renderChat', model.renderChat.bind(model) as Call, [[], {}]], ['createSession', model.createSession.bind(model) as Call, [1]],
      ['encode', tokenizer.encode.bind(tokenizer) as Call, ['a', {}]], ['pieces', tokenizer.pieces.bind(tokenizer) as Call, ['a', {}]],
      ...(['signal', 'onProgress'] as const).map((name): Door => ['encodeAsync', (wrong: never) => tokenizer.encodeAsync('a b c', { [name]: wrong }), [undefined]]),
      ['encodeAsync', tokenizer.encodeAsync.bind(tokenizer) as Call, ['a', {}]], ['decode', tokenizer.decode.bind(tokenizer) as Call, [[1], {}]], ['id', tokenizer.id.bind(tokenizer) as Call, ['a']],
      ...(['token', 'bytes', 'isSpecial'] as const).map((name): Door => [name, tokenizer[name].bind(tokenizer) as Call, [1]]),
      ['stream', tokenizer.stream.bind(tokenizer) as Call, [{}]], ['stream', (previous: never) => tokenizer.stream({ previous }), [[1]]], ['push', (id: never) => tokenizer.stream().push(id), [1]],
      ['marks', (marks: never) => tokenizer.encode('a', { marks, parseSpecial: true }), ['0']],
    ];
    const raw: string[] = [];
    for (const door of doors) raw.push(...(await rawErrors(door)));
    session.dispose();
    expect(raw).toEqual([]);
  });

  it('has a door for every export', () => {
    const known = new Set(Object.values(DOORS).flat().map(([name]) => name));
    const elsewhere = new Set(Object.keys(judge)); // tests/judge
    const all = [stonechat, training, bench].flatMap((entry) => Object.keys(entry));
    expect(all.filter((name) => !known.has(name) && !elsewhere.has(name))).toEqual([]);
  });
});
