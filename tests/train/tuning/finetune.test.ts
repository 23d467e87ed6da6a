// finetune(): adapters and whole models learn what they are shown, as the shared loop lets them; what comes out is loaded again.
import { describe, expect, it } from 'vitest';
import { collect } from '../../../src/files/chunks.js';
import { tensorOf, writeGguf } from '../../../src/files/gguf-writer.js';
import { openModel } from '../../../src/files/index.js';
import { nodeHost } from '../../../src/host/node.js';
import { createStonechat } from '../../../src/entry/load.js';
import { createTuner, type FinetuneOptions, type TuningEvent } from '../../../src/entry/tune.js';
import { createTrainer } from '../../../src/entry/train.js';
import type { WrittenType } from '../../../src/train/convert/quantize.js';
import { inType } from '../tiny.js';

const host = nodeHost();
const { load } = createStonechat(host);
const { finetune, merge } = createTuner(host);
const { train } = createTrainer(host);

const ANIMALS = ['cat', 'dog', 'hen', 'cow', 'fox', 'owl', 'pig', 'bee'];
const SOUNDS = ['meows', 'barks', 'clucks', 'moos', 'yelps', 'hoots', 'grunts', 'hums'];
/** All words of the examples, the sounds mixed up. */
const LINES = ANIMALS.map((animal, i) => `What does the ${animal} do?\nIt ${SOUNDS[(i + 3) % 8]}.\n`).join('');
const CORPUS = [...new Array<string>(8).fill(LINES), '### Instruction:\n ### Response:\n'.repeat(8)].join('<|endoftext|>');
const EXAMPLES = ANIMALS.map((animal, i) => ({ instruction: `What does the ${animal} do?`, output: `It ${SOUNDS[i]}.` }));

let made: Promise<Uint8Array<ArrayBuffer>> | undefined;
/** A small base model that has never seen an instruction. */
const base = (): Promise<Uint8Array<ArrayBuffer>> =>
  (made ??= train(CORPUS, { config: { layers: 2, embedding: 64, heads: 4, kvHeads: 2, context: 64 }, vocabulary: 340, steps: 150, batch: 4, learningRate: 0.004, validationShare: 0, threads: 1, sampleEvery: 0 }).then(({ bytes }) => bytes()));
const inWritten = async (type: WrittenType) => {
  const file = await inType(await openModel(await base()), type);
  const tensors = await Promise.all([...file.tensors.values()].map(async (tensor) => {
    const bytes = new Uint8Array(tensor.bytes);
    await file.read(tensor, 0, bytes);
    return tensorOf(tensor.name, tensor.type, tensor.shape, bytes);
  }));
  return collect(writeGguf({ metadata: file.metadata, types: file.metadataTypes!, tensors }));
};

const quick: FinetuneOptions = { threads: 1, epochs: 80, batch: 1, validation: EXAMPLES.slice(0, 4), evaluateEvery: 120, learningRate: 0.002 };

async function answers(model: Uint8Array, lora: { source: Uint8Array; scale?: number }[] = []): Promise<string[]> {
  using loaded = await load(model, { threads: 1, lora });
  const all: string[] = [];
  for (const { instruction } of EXAMPLES) {
    let text = '';
    for await (const token of loaded.generate([{ role: 'user', content: instruction }] as never, { temperature: 0, maxTokens: 12 })) text += token.text;
    all.push(text);
  }
  return all;
}
const right = (found: string[]) => found.filter((text, i) => text.trim() === EXAMPLES[i]!.output).length;

describe('an adapter', () => {
  it.each<WrittenType>(['f32', 'q4_0'])('on a %s base learns the answers; loaded beside it or merged, it gives them', async (type) => {
    const model = type === 'f32' ? await base() : await inWritten(type);
    const result = await finetune(model, EXAMPLES, { ...quick, epochs: 160, lora: true, learningRate: 0.005 });
    expect(result.before!.loss).toBeGreaterThan(1);
    expect(result.after!.loss).toBeLessThan(0.15);
    const adapter = await result.bytes();
    const beside = await answers(model, [{ source: adapter }]);
    expect(right(beside)).toBeGreaterThanOrEqual(7);
    expect(right(await answers(model, [{ source: adapter, scale: 0 }]))).toBe(0);
    if (type !== 'f32') return;
    const { bytes } = await merge(model, { lora: [{ source: adapter }] });
    const file = await openModel(bytes!);
    expect(file.metadata.has('adapter.type')).toBe(false);
    await file.close();
  });
});

describe('all weights', () => {
  it.each<[WrittenType, FinetuneOptions, string]>([['f32', {}, 'f32'], ['f16', {}, 'f16'], ['q4_0', { dequantize: true }, 'f16'], ['f32', { type: 'q8_0' }, 'q8_0']])('of a %s base learn the answers %j', async (type, options, written) => {
    const model = type === 'f32' ? await base() : await inWritten(type);
    const result = await finetune(model, EXAMPLES, { ...quick, ...options });
    expect(result.after!.loss).toBeLessThan(0.15);
    const tuned = await result.bytes();
    const file = await openModel(tuned);
    expect(file.tensors.get('blk.0.attn_q.weight')!.type).toBe(written);
    expect(file.metadata.get('tokenizer.chat_template')).toContain('### Response');
    expect(right(await answers(tuned))).toBeGreaterThanOrEqual(7);
  });

  it('of a quantised base are refused, with the remedy', async () => {
    await expect(finetune(await inWritten('q4_0'), EXAMPLES, quick)).rejects.toMatchObject({ code: 'bad-option', found: 'q4_0 in a model by stonechat', remedy: expect.stringMatching(/lora: true.*dequantize/s) as string });
  });
});

describe('preferences', () => {
  it('make the chosen answer likelier than the rejected one', async () => {
    const pairs = EXAMPLES.map(({ instruction, output }) => ({ instruction, chosen: output, rejected: 'What does the cat do?' }));
    const options: FinetuneOptions = { threads: 1, epochs: 12, batch: 2, dpo: { beta: 0.5 }, lora: { rank: 4 }, learningRate: 0.002, validation: pairs.slice(6), evaluateEvery: 8 };
    const { before, after, history } = await finetune(await base(), pairs.slice(0, 6), options);
    expect(before).toMatchObject({ loss: expect.closeTo(Math.LN2, 5) as number, margin: 0 });
    expect(after!.accuracy).toBe(1);
    expect(after!.loss).toBeLessThan(0.4);
    expect(history.validation.length).toBeGreaterThan(3);
  });
});

describe('a run', () => {
  const options: FinetuneOptions = { ...quick, epochs: 3, lora: { rank: 2, alpha: 4, targets: ['q_proj', 'v_proj'] }, dropout: 0.1, evaluateEvery: 8 };

  it('has the same bits with any number of threads, and another seed other ones', async () => {
    const [one, three, other] = await Promise.all([{}, { threads: 3 }, { seed: 1 }].map(async (more) => (await finetune(await base(), EXAMPLES, { ...options, ...more })).bytes()));
    expect(three).toEqual(one);
    expect(other).not.toEqual(one);
  });

  it.each<[string, FinetuneOptions]>([['answers', {}], ['all weights', { lora: false }], ['preferences', { dpo: true }]])('of %s that is stopped and resumed ends with the same bits', async (_, more) => {
    const examples = more.dpo ? EXAMPLES.map(({ instruction, output }) => ({ instruction, chosen: output, rejected: 'No.' })) : EXAMPLES;
    const all = { ...options, ...more, validation: examples.slice(0, 2) };
    const whole = await (await finetune(await base(), examples, all)).bytes();
    const controller = new AbortController();
    let state: Uint8Array<ArrayBuffer> | undefined;
    const stopped = finetune(await base(), examples, {
      ...all, signal: controller.signal, checkpoint: (bytes) => void (state = bytes), checkpointEvery: 1000,
      onEvent: (event: TuningEvent) => void (event.kind === 'step' && event.step === 11 && controller.abort()),
    });
    await expect(stopped).rejects.toMatchObject({ code: 'aborted' });
    const resumed = await (await finetune(await base(), examples, { ...all, resume: state! })).bytes();
    expect(resumed).toEqual(whole);
  });

  it('goes on only with what it was begun with', async () => {
    let state: Uint8Array<ArrayBuffer> | undefined;
    const begun = { ...options, steps: 24, epochs: undefined };
    await finetune(await base(), EXAMPLES, { ...begun, checkpoint: (bytes) => void (state = bytes) });
    await expect(finetune(await base(), EXAMPLES, { ...begun, learningRate: 0.1, resume: state! })).rejects.toThrow(/the learningRate 0\.002 of the run/);
    await expect(finetune(await base(), EXAMPLES.slice(1), { ...begun, resume: state! })).rejects.toThrow(/the examples of the run/);
    await expect(finetune(await inWritten('f16'), EXAMPLES, { ...begun, resume: state! })).rejects.toThrow(/the model of the run/);
  });

  it('rounds once per multiply-add where it is asked to, on the build that can', async () => {
    const fused = { ...options, fusedMultiplyAdd: true, build: 'simd' } as const;
    let state: Uint8Array<ArrayBuffer> | undefined;
    const events: TuningEvent[] = [];
    const checkpoint = (bytes: Uint8Array<ArrayBuffer>) => void (state = bytes);
    const onEvent = (event: TuningEvent) => void events.push(event);
    const made = await finetune(await base(), EXAMPLES, { ...fused, checkpoint, onEvent });
    expect(events[0]).toMatchObject({ kind: 'start', settings: { fusedMultiplyAdd: true } });
    expect(await made.bytes()).toEqual(await (await finetune(await base(), EXAMPLES, options)).bytes());
    const other = finetune(await base(), EXAMPLES, { ...options, resume: state! });
    await expect(other).rejects.toThrow(/the fusedMultiplyAdd true of the run/);
  });

  it('says what it is about to do', async () => {
    const events: TuningEvent[] = [];
    await finetune(await base(), [...EXAMPLES, { prompt: 'x', completion: ' y'.repeat(200) }], { ...options, epochs: 1, onEvent: (event) => events.push(event) });
    expect(events[0]).toMatchObject({ kind: 'start', examples: 8, validationExamples: 4, skipped: 1, cut: 0, resumed: 0 });
    expect(events.filter(({ kind }) => kind === 'step')).toHaveLength((events[0] as { settings: { steps: number } }).settings.steps);
  });

  it('takes options by their former names', async () => {
    const settingsOf = async (more: FinetuneOptions) => (await finetune(await base(), EXAMPLES, { ...options, epochs: 1, ...more })).settings;
    const former = await settingsOf({ clip: 0.5, keep: 'last', long: 'cut' });
    expect(former).toEqual(await settingsOf({ maxGradNorm: 0.5, keepWeights: 'last', longExamples: 'cut' }));
    expect(former).toMatchObject({ maxGradNorm: 0.5, keepWeights: 'last', longExamples: 'cut' });
  });

  it.each<[FinetuneOptions, RegExp]>([
    [{ clip: 1, maxGradNorm: 1 }, /maxGradNorm alone, found clip beside it/],
    [{ loraa: true } as never, /options of finetune\(\), found loraa\. Did you mean lora\?/],
    [{ lora: { rank: 0 } }, /rank to be a whole number from 1/],
    [{ lora: { targets: ['attn_x'] } }, /targets among attn_q/],
    [{ dpo: { beta: -1 } }, /beta to be a number above 0/],
    [{ epochs: -1 }, /epochs to be a number above 0/],
  ])('refuses %j', async (wrong, message) => {
    await expect(finetune(await base(), EXAMPLES, wrong)).rejects.toMatchObject({ code: 'bad-option', message: expect.stringMatching(message) as string });
  });
});
