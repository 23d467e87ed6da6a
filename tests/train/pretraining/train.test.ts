// train() as a whole: what it makes, that only corpus, options and seed decide it, and what it refuses.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gguf } from '@huggingface/gguf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTrainer, type LoopEvent, type TrainEvent, type TrainOptions } from '../../../src/entry/train.js';
import { createStonechat } from '../../../src/entry/load.js';
import { collect } from '../../../src/files/chunks.js';
import { writeGguf } from '../../../src/files/gguf-writer.js';
import { openModel } from '../../../src/files/index.js';
import { nodeHost } from '../../../src/host/node.js';
import { huggingFaceFiles } from '../../../src/text/byte-level.js';
import { differences } from '../../../src/train/loop/checkpoint.js';
import { buildsHere, random } from '../../kernels/support.js';
import { learnBpe } from '../../../src/train/tokenizer/learn-bpe.js';
import { textKernels } from '../../../src/train/tokenizer/vocabulary.js';
import { birdCorpus } from '../corpora.js';
import { trainHost } from '../support.js';

const host = nodeHost();
const { train } = createTrainer(host);
const { load } = createStonechat(host);

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'stonechat-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const corpus = birdCorpus(120);
/** Odd sizes: rows that fill no group of 8, several micro-batches, dropout. */
const llama: TrainOptions = { config: { embedding: 24, layers: 2, heads: 2, kvHeads: 1, feedForward: 40, context: 24 }, vocabulary: 301, steps: 12, batch: 4, microBatch: 2, dropout: 0.1, evaluateEvery: 4, sampleTokens: 8, threads: 1 };
const gpt2: TrainOptions = { ...llama, config: { architecture: 'gpt2', embedding: 24, layers: 1, heads: 3, context: 24, positions: 'sinusoidal', tied: false }, seed: 7 };

const bytesOf = async (options: TrainOptions, text: Iterable<string> = corpus) => Buffer.from(await (await train(text, options)).bytes());

describe('train()', () => {
  it('learns: the validation loss falls below that of the first guess, by a tenth and more', async () => {
    const { history, validation, parameters, tokens, step } = await train(corpus, { ...llama, dropout: 0, steps: 60, evaluateEvery: 20 });
    const [first] = history.validation;
    expect(first!.loss).toBeCloseTo(Math.log(301), 0);
    expect(validation!.loss).toBeLessThan(0.75 * first!.loss);
    expect(history.validation.map((at) => at.step)).toEqual([0, 20, 40, 60]);
    expect(history.training).toHaveLength(60);
    expect(tokens).toBe(60 * 4 * 24);
    expect(step).toBe(60);
    expect(parameters).toBe(301 * 24 + 2 * (24 + 24 * 24 * 2 + 12 * 24 * 2 + 24 + 3 * 24 * 40) + 24);
  });

  it.each([['llama', llama], ['gpt2', gpt2]])('writes a GGUF file (%s) that load() and another reader take', async (architecture, options) => {
    const path = join(folder, `${architecture}.gguf`);
    const result = await train(corpus, { ...options, output: path, name: 'a bird' });
    using model = await load(path);
    expect(model.info).toMatchObject({ name: 'a bird', architecture, parameters: result.parameters, vocabulary: 301, trainedContextLength: 24 });
    const generation = model.generate('The robin', { maxTokens: 8, seed: 1, ignoreEos: true });
    const ids: number[] = [];
    for await (const { id } of generation) ids.push(id);
    expect(ids).toHaveLength(8);
    expect(model.tokenizer.decode(model.tokenizer.encode('The robin sang.'))).toBe('The robin sang.');
    const { metadata, tensorInfos } = await gguf(path, { allowLocalFile: true });
    expect(metadata).toMatchObject({
      'general.architecture': architecture, 'general.name': 'a bird', 'general.file_type': 0,
      [`${architecture}.context_length`]: 24, [`${architecture}.embedding_length`]: 24, 'tokenizer.ggml.model': 'gpt2', 'tokenizer.ggml.bos_token_id': 0, 'tokenizer.ggml.eos_token_id': 0,
    });
    expect((metadata as Record<string, unknown>)['tokenizer.ggml.tokens']).toHaveLength(301);
    const names = tensorInfos.map(({ name }) => name);
    expect(names).toContain('token_embd.weight');
    expect(names).toContain(architecture === 'gpt2' ? 'blk.0.attn_qkv.bias' : 'blk.1.ffn_gate.weight');
  });

  it('keeps the weights with the lowest validation loss, unless the last are asked for', async () => {
    // A rate that ruins what the first steps have learnt.
    const wild: TrainOptions = { ...llama, steps: 24, learningRate: 20, warmup: 24, evaluateEvery: 4 };
    const { history, step, validation } = await train(corpus, wild);
    const best = history.validation.reduce((a, b) => (b.loss < a.loss ? b : a));
    expect(best.step).toBeLessThan(24);
    expect(step).toBe(best.step);
    expect(validation!.loss).toBeCloseTo(best.loss, 10);
    expect((await train(corpus, { ...wild, keepWeights: 'last' })).step).toBe(24);
  });

  it('takes the tokenizer of a model, and text to validate with', async () => {
    const first = join(folder, 'first.gguf');
    await train(corpus, { ...llama, steps: 1, output: first });
    const events: TrainEvent[] = [];
    const { content } = await train(corpus, { ...llama, steps: 1, vocabulary: undefined, tokenizer: first, validation: ['A wren is small.'], onEvent: (event) => events.push(event) });
    const file = await openModel(first, { open: host.open });
    await file.close();
    expect(content.metadata.get('tokenizer.ggml.tokens')).toEqual(file.metadata.get('tokenizer.ggml.tokens'));
    expect(events[0]).toMatchObject({ kind: 'start', validationTokens: expect.toSatisfy((count: number) => count > 3 && count < 20) });
  });

  it('takes a tokenizer.json, and writes what it says into the model', async () => {
    const path = join(folder, 'tokenizer.json');
    const { host: trainer, compileTraining } = trainHost;
    const kernels = { build: 'simd' as const, module: await trainer.compile('simd', false), secondModule: await compileTraining('simd', false) };
    const { vocabulary, tokenizer } = await learnBpe(corpus, { vocabularySize: 290 }, kernels);
    writeFileSync(path, huggingFaceFiles(vocabulary)['tokenizer.json']);
    writeFileSync(join(folder, 'tokenizer_config.json'), huggingFaceFiles(vocabulary)['tokenizer_config.json']);
    const output = join(folder, 'from-json.gguf');
    const { config } = await train(corpus, { ...llama, steps: 1, vocabulary: undefined, tokenizer: path, output });
    expect(config.vocabulary).toBe(290);
    using model = await load(output);
    expect([...model.tokenizer.encode(corpus[0]!)]).toEqual([...tokenizer.encode(corpus[0]!)]);
  });

  it('tells of every step, evaluation, sample and checkpoint', async () => {
    const events: TrainEvent[] = [];
    await train(corpus, { ...llama, sampleEvery: 6, checkpoint: () => {}, checkpointEvery: 5, onEvent: (event) => events.push(event) });
    const steps = (kind: LoopEvent['kind']) => events.flatMap((event) => (event.kind === kind ? (event as LoopEvent).step : []));
    expect(events[0]!.kind).toBe('start');
    expect(steps('step')).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expect(steps('evaluation')).toEqual([0, 4, 8, 12]);
    expect(steps('sample')).toEqual([6, 12]);
    expect(steps('checkpoint')).toEqual([0, 5, 10, 12]);
  });
});

describe('the bits of a model', () => {
  it.each([['llama', llama], ['gpt2', gpt2]])('are the same on every build and number of threads (%s)', async (_, options) => {
    const expected = await bytesOf({ ...options, build: 'scalar' });
    for (const build of buildsHere()) {
      for (const threads of [1, 2, 3]) expect(expected.equals(await bytesOf({ ...options, build, threads })), `${build}, ${threads} threads`).toBe(true);
    }
  });

  it('follow from the seed', async () => {
    const [first, again, other] = await Promise.all([bytesOf(llama), bytesOf(llama), bytesOf({ ...llama, seed: 1 })]);
    expect(first.equals(again)).toBe(true);
    expect(first.equals(other)).toBe(false);
  });

  it('do not depend on samples, nor on where evaluations and checkpoints fall, when the last weights are kept', async () => {
    const plain = await bytesOf({ ...llama, keepWeights: 'last' });
    expect(plain.equals(await bytesOf({ ...llama, keepWeights: 'last', sampleEvery: 1, evaluateEvery: 3, checkpointEvery: 2, checkpoint: () => {} }))).toBe(true);
  });
});

describe('a checkpoint', () => {
  const run: TrainOptions = { ...llama, learningRate: 0.05, sampleEvery: 3, checkpointEvery: 1 };
  const checkpoints: Uint8Array<ArrayBuffer>[] = [];
  let whole: Buffer;
  beforeAll(async () => {
    const result = await train(corpus, { ...run, checkpoint: (bytes, step) => void (checkpoints[step] = bytes) });
    whole = Buffer.from(await result.bytes());
  });

  it('of any step goes on to the same bits, on another build and number of threads', async () => {
    expect(checkpoints).toHaveLength(13);
    const builds = buildsHere();
    for (const [step, resume] of checkpoints.entries()) {
      const events: TrainEvent[] = [];
      const bytes = await bytesOf({ ...run, resume, threads: 1 + (step % 3), build: builds[step % builds.length], onEvent: (event) => events.push(event) });
      expect(bytes.equals(whole), `resumed after step ${step}`).toBe(true);
      expect(events[0]).toMatchObject({ kind: 'start', resumed: step });
      expect(events.filter(({ kind }) => kind === 'step')).toHaveLength(12 - step);
    }
  });

  it('knows the options of its run', async () => {
    const { steps: _, ...rest } = run;
    expect((await bytesOf({ resume: checkpoints[7] })).equals(whole)).toBe(true);
    expect((await bytesOf({ ...rest, resume: checkpoints[7] })).equals(whole)).toBe(true);
  });

  it.each([
    ['another corpus', {}, birdCorpus(121), 'corpus text'],
    ['other sizes', { config: { layers: 3 } }, corpus, 'config.layers 2'],
    ['another learning rate', { learningRate: 0.01 }, corpus, 'learningRate 0.05'],
    ['other steps', { steps: 13 }, corpus, 'steps 12'],
    ['another vocabulary', { vocabulary: 302 }, corpus, 'vocabulary 301'],
    ['another seed', { seed: 1 }, corpus, 'seed 0'],
    ['text to validate with', { validation: 'A wren.' }, corpus, 'corpus text'],
  ] satisfies [string, TrainOptions, string[], string][])('is refused with %s', async (_, options, text, expected) => {
    await expect(train(text, { resume: checkpoints[3], ...options })).rejects.toMatchObject({ code: 'bad-option', expected: expect.stringContaining(expected) });
  });

  it('is told from a model, and from one of another version', async () => {
    await expect(train(corpus, { resume: new Uint8Array(whole) })).rejects.toMatchObject({ code: 'bad-file', expected: expect.stringContaining('checkpoint') });
    await expect(train(corpus, { resume: checkpoints[3]!.slice(0, -4000) })).rejects.toMatchObject({ code: 'truncated' });
    await expect(load(checkpoints[3]!)).rejects.toMatchObject({ code: 'unsupported' });
  });

  it('that was damaged is refused before the corpus is read', async () => {
    const bytes = checkpoints[5]!.slice();
    bytes[bytes.length - 5000]! ^= 1;
    let read = 0;
    const counted = { *[Symbol.iterator]() { read++; yield* corpus; } };
    await expect(train(counted, { resume: bytes, steps: 12 })).rejects.toMatchObject({ code: 'bad-file', found: expect.stringContaining('checksum') });
    expect(read).toBe(0);
  });

  it('that was damaged anywhere does not go on, or to the same bytes', { timeout: 240_000 }, async () => {
    const good = checkpoints[5]!;
    const next = random(3);
    let refused = 0;
    for (let round = 0; round < 24; round++) {
      const bytes = good.slice();
      const at = Math.floor(next() * bytes.length);
      bytes[at]! ^= 1 << Math.floor(next() * 8);
      if (round % 3 === 0) bytes.set(bytes.slice(at, at + 64), Math.max(0, at - 100));
      const outcome = await bytesOf({ resume: bytes, steps: 12 }).catch((error: unknown) => error);
      if (outcome instanceof Buffer) expect(outcome.equals(whole), `a damaged byte ${at}`).toBe(true); // between tensors nothing is told
      else {
        expect(outcome).toMatchObject({ name: 'StonechatError' });
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(18);
  });

  it.each<[string, (facts: Record<string, unknown>, state: Record<string, unknown>) => void, RegExp]>([
    ['a batch that is no number', ({ settings }) => void ((settings as { batch: unknown }).batch = '8'), /batch/],
    ['an unknown setting', ({ settings }) => void ((settings as { more: unknown }).more = 1), /options/],
    ['sizes out of range', ({ settings }) => void ((settings as { config: { layers: number } }).config.layers = -1), /layers/],
    ['no settings', (facts) => void (facts['settings'] = null), /settings/],
    ['a step below zero', (_, state) => void (state['step'] = -1), /step/],
    ['other losses than steps', (_, state) => void (state['step'] = 3), /losses/],
    ['a place beyond the corpus', (_, state) => void ((state['cursor'] as { document: number }).document = 1e6), /document/],
    ['a place that is none', (_, state) => void (state['cursor'] = { epoch: 0, document: 0.5, pair: 0 }), /document/],
    ['a history of texts', (_, state) => void ((state['history'] as { training: unknown }).training = ['a', 'b', 'c', 'd', 'e']), /numbers/],
  ])('with %s is the fault of its file', async (_, change, expected) => {
    const file = await openModel(checkpoints[5]!);
    const [facts, state] = ['facts', 'state'].map((key) => JSON.parse(String(file.metadata.get(`stonechat.checkpoint.${key}`))) as Record<string, unknown>);
    change(facts!, state!);
    const metadata = new Map([...file.metadata].filter(([key]) => !key.includes('.checksum.')));
    metadata.set('stonechat.checkpoint.version', 1).set('stonechat.checkpoint.facts', JSON.stringify(facts)).set('stonechat.checkpoint.state', JSON.stringify(state));
    const tensors = [...file.tensors.values()].map((tensor) => ({ name: tensor.name, type: tensor.type, shape: tensor.shape, read: (offset: number, into: Uint8Array) => file.read(tensor, offset, into) }));
    const bytes = await collect(writeGguf({ metadata, types: file.metadataTypes ?? new Map(), tensors }));
    await expect(train(corpus, { resume: bytes })).rejects.toMatchObject({ code: 'bad-file', expected: expect.stringMatching(expected) });
  });

  it('is left where a run is aborted, and the run goes on from it', async () => {
    const path = join(folder, 'aborted.checkpoint');
    const controller = new AbortController();
    const onEvent = (event: TrainEvent) => void (event.kind === 'step' && event.step === 5 && controller.abort());
    await expect(train(corpus, { ...run, checkpointEvery: 100, checkpoint: path, signal: controller.signal, onEvent })).rejects.toMatchObject({ code: 'aborted' });
    expect((await bytesOf({ ...run, resume: path, threads: 2 })).equals(whole)).toBe(true);
  });

  it('compares facts by name', () => {
    expect(differences({ a: 1, b: { c: [1], d: 2 } }, { a: 1, b: { c: [2], d: 2 }, e: 3 })).toEqual([['b.c', [1], [2]], ['e', undefined, 3]]);
  });
});

describe('refusals', () => {
  const short = 'A bird sat on a wall and said that it would not move at all.';
  it.each([
    ['an empty text', '', {}, 'bad-option', 'a corpus with text'],
    ['a text of separators', '<|endoftext|>\n<|endoftext|>', {}, 'bad-option', 'a corpus with text'],
    ['an empty validation text', short, { validation: [] }, 'bad-option', 'a validation text'],
    ['less than a batch', short, { batch: 64 }, 'bad-option', 'at least one batch'],
    ['an unknown option', short, { stepz: 3 } as TrainOptions, 'bad-option', 'options of train()'],
    ['an unknown size', short, { config: { layer: 3 } } as TrainOptions, 'bad-option', 'options of the model configuration'],
    ['sizes that make no model', short, { config: { embedding: 30, heads: 4 } }, 'bad-option', 'even multiple of heads'],
    ['steps and epochs', short, { steps: 1, epochs: 1 }, 'bad-option', 'either steps or epochs'],
    ['micro-batches that do not divide', short, { batch: 4, microBatch: 3, config: { context: 4 } }, 'bad-option', 'multiple of microBatch'],
    ['two sizes of the vocabulary', short, { vocabulary: 300, config: { vocabulary: 400 } }, 'bad-option', 'one size of the vocabulary'],
    ['more than 4 GiB', [short.repeat(400)], { vocabulary: 300, batch: 1, steps: 1, config: { embedding: 8192, layers: 4, heads: 64, context: 32 } }, 'out-of-memory', 'fits in 4096 MiB'],
    ['a folder that is not there', short.repeat(40), { checkpoint: '/nowhere/at/all', config: { embedding: 16, layers: 1, heads: 1, context: 8 } }, 'unavailable', 'to write /nowhere/at/all'],
    ['documents that are no texts', [3] as unknown as string[], {}, 'bad-option', 'a corpus of texts'],
  ] satisfies [string, string | string[], TrainOptions, string, string][])('%s', async (_, text, options, code, expected) => {
    await expect(train(text, options)).rejects.toMatchObject({ name: 'StonechatError', code, expected: expect.stringContaining(expected), remedy: expect.stringMatching(/\w/) });
  });

  it('a tokenizer of another size than the configuration', async () => {
    const path = join(folder, 'vocabulary.gguf');
    await train(corpus, { ...llama, steps: 1, output: path });
    await expect(train(corpus, { ...llama, vocabulary: 500, tokenizer: path })).rejects.toMatchObject({ code: 'bad-option', expected: expect.stringContaining('301 ids') });
  });

  it('training that diverges: the best weights are written, the checkpoint stays', async () => {
    const output = join(folder, 'diverged.gguf');
    const checkpoint = join(folder, 'diverged.checkpoint');
    writeFileSync(output, 'an older model');
    const options: TrainOptions = { ...llama, steps: 30, learningRate: 1e30, warmup: 10, output, checkpoint };
    await expect(train(corpus, options)).rejects.toMatchObject({ code: 'diverged', remedy: expect.stringContaining(`lower learning rate`) });
    using model = await load(output);
    expect(model.info.parameters).toBeGreaterThan(0);
    await expect(train(corpus, { resume: checkpoint })).rejects.toMatchObject({ code: 'diverged' });
  });
});

describe('a tokenizer that GGUF cannot say', () => {
  it('is refused by name; with force the result names what is lost', async () => {
    const { vocabulary } = await learnBpe(corpus, { vocabularySize: 300 }, await textKernels(trainHost));
    const json = JSON.parse(huggingFaceFiles(vocabulary)['tokenizer.json']) as object;
    const place = join(folder, 'composed');
    mkdirSync(place);
    writeFileSync(join(place, 'tokenizer.json'), JSON.stringify({ ...json, normalizer: { type: 'NFC' } }));
    const options: TrainOptions = { ...llama, vocabulary: undefined, tokenizer: join(place, 'tokenizer.json'), steps: 2 };
    await expect(train(corpus, options)).rejects.toMatchObject({ code: 'unsupported', found: 'normalizer NFC', remedy: expect.stringContaining('--force') });
    const { lost, bytes } = await train(corpus, { ...options, force: true });
    expect(lost).toEqual(['normalizer NFC']);
    const model = await load(await bytes());
    expect(model.tokenizer.size).toBe(300);
    model.dispose();
    expect((await train(corpus, { ...llama, steps: 2, force: true })).lost).toEqual([]);
  });
});
