// Examples to ids: what is learnt of each kind, how they are packed, what is refused.
import { beforeAll, describe, expect, it } from 'vitest';
import { INSTRUCTION_TEMPLATE, ScriptWriter } from '../../../src/train/data/examples.js';
import { PackedStream, packedBatchesOf, sequencesOf } from '../../../src/train/data/packing.js';
import { cutDocument, type TokenizedExample, tokenizeExample } from '../../../src/train/data/tokenized.js';
import { learnBpe } from '../../../src/train/tokenizer/learn-bpe.js';
import type { Tokenizer } from '../../../src/text/types.js';
import { prepareTuningDataset } from '../../../src/train/tuning/dataset.js';
import { textKernels } from '../../../src/train/tokenizer/vocabulary.js';
import { tinyModel } from '../../models/tiny.js';
import { trainHost } from '../support.js';

let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = (await learnBpe('the cat sat on the mat. ### Instruction: ### Response: what did the cat do?', { vocabularySize: 300, specialTokens: ['<|endoftext|>', '<|im_start|>', '<|im_end|>'], eos: '<|endoftext|>' }, await textKernels(trainHost))).tokenizer;
});

const written = async (example: unknown, template = INSTRUCTION_TEMPLATE) => tokenizeExample(await new ScriptWriter(tokenizer, template).example(example, 'example 1'), tokenizer);
/** The text with what is learnt in [brackets]. */
function marked({ ids, lossMask }: TokenizedExample): string {
  let text = '';
  ids.forEach((id, i) => {
    const opens = lossMask[i] && !lossMask[i - 1], closes = !lossMask[i] && lossMask[i - 1];
    text += `${opens ? '[' : closes ? ']' : ''}${tokenizer.decode([id], { special: true })}`;
  });
  return text + (lossMask.at(-1) ? ']' : '');
}

const END = '<|endoftext|>';
const turn = (role: string, content: string) => ({ role, content });

describe('special tokens', () => {
  const special = ({ ids }: TokenizedExample) => ids.filter((id) => tokenizer.isSpecial(id)).length;

  it('spelt in messages are text, unless contents are special; masks stay right', async () => {
    const forged = { messages: [turn('user', 'a<|im_end|>'), turn('assistant', 'b<|im_start|>')] };
    const honest = { messages: [turn('user', 'a'), turn('assistant', 'b')] };
    const example = await written(forged, 'chatml');
    expect(special(example)).toBe(special(await written(honest, 'chatml')));
    expect(marked(example)).toBe(`${END}<|im_start|>user\na<|im_end|><|im_end|>\n<|im_start|>assistant\n[b<|im_start|><|im_end|>\n]`);
    const parsed = tokenizeExample(await new ScriptWriter(tokenizer, 'chatml', 'special').example(forged, 'example 1'), tokenizer);
    expect(special(parsed)).toBe(special(example) + 2);
  });

  it('spelt in texts are warned of, and parsed by parseSpecial', async () => {
    const texts = [{ text: 'the <|im_end|> cat' }, { text: 'the cat' }, { text: '<|im_start|>' }];
    const file = tinyModel({ architecture: 'llama', embedding: 16, layers: 1, heads: 2, kvHeads: 1, feedForward: 24, vocabulary: 300, context: 40 });
    const plain = await prepareTuningDataset(file, tokenizer, texts, undefined, { context: 16, validationShare: 0 });
    expect(plain.warnings).toEqual([expect.stringMatching(/^example 1 spells the special token <\|im_end\|> as text, and so do 1 more/)]);
    const parsed = await prepareTuningDataset(file, tokenizer, texts, undefined, { context: 16, validationShare: 0, parseSpecial: true });
    expect(parsed.warnings).toEqual([]);
  });

  it('a prompt that is a text beside conversations goes through the template', async () => {
    const writer = new ScriptWriter(tokenizer, 'chatml');
    const { chosen } = await writer.preference({ prompt: 'sit', chosen: [turn('assistant', 'yes')], rejected: [turn('assistant', 'no')] }, 'line 1');
    expect(marked(tokenizeExample(chosen, tokenizer))).toBe(`${END}<|im_start|>user\nsit<|im_end|>\n<|im_start|>assistant\n[yes<|im_end|>\n]`);
    await expect(writer.preference({ prompt: 'sit', chosen: [turn('user', 'go'), turn('assistant', 'yes')], rejected: 'no' }, 'line 1')).rejects.toMatchObject({ code: 'bad-option' });
  });
});

describe('what is learnt', () => {
  it.each<[string, unknown, string]>([
    ['a text', 'the cat', `${END}[the cat${END}]`],
    ['{ text }', { text: 'the cat' }, `${END}[the cat${END}]`],
    ['a completion', { prompt: 'the cat', completion: ' sat' }, `${END}the cat[ sat${END}]`],
    ['an output', { instruction: 'sit', input: 'cat', output: 'sat' }, `${END}### Instruction:\nsit\n\n### Input:\ncat\n\n### Response:\n[sat${END}\n]`],
    ['an output without input', { instruction: 'sit', input: '', output: 'sat' }, `${END}### Instruction:\nsit\n\n### Response:\n[sat${END}\n]`],
    ['the turns of the assistant', { messages: [turn('user', 'a'), turn('assistant', 'b'), turn('user', 'c'), turn('assistant', 'd')] },
      `${END}### Instruction:\na\n\n### Response:\n[b${END}\n]### Instruction:\nc\n\n### Response:\n[d${END}\n]`],
  ])('of %s', async (_, example, expected) => expect(marked(await written(example))).toBe(expected));

  it('of a conversation by the model\'s own template, from the opening of the turn to its end', async () => {
    const { ids, lossMask } = await written({ messages: [turn('system', 's'), turn('user', 'a'), turn('assistant', 'b')] }, 'chatml');
    expect(marked({ ids, lossMask })).toBe(`${END}<|im_start|>system\ns<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n[b<|im_end|>\n]`);
    expect([...ids]).toContain(tokenizer.id('<|im_end|>'));
  });

  it('of a template that drops earlier reasoning: the last turn alone', async () => {
    const forgetful = "{% for m in messages %}{% if loop.last or m.role == 'user' %}{{ m.role + ':' + m.content + ';' }}{% endif %}{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";
    expect(marked(await written({ messages: [turn('user', 'a'), turn('assistant', 'b'), turn('user', 'c'), turn('assistant', 'd')] }, forgetful))).toBe(`${END}user:a;user:c;assistant:[d;]`);
  });

  it('begins prompts as generation does, so that the seam is where the answer begins', async () => {
    const { ids } = await written({ prompt: 'the ca', completion: 't' });
    const prompt = tokenizer.encode('the ca');
    expect([...ids.subarray(0, prompt.length)]).toEqual([...prompt]);
  });

  it('special tokens written in a plain prompt stay text', async () => {
    expect([...(await written({ prompt: END, completion: 'x' })).ids].filter((id) => id === tokenizer.eos)).toHaveLength(2);
  });
});

describe('packing', () => {
  const example = (length: number, from = 0): TokenizedExample => ({ ids: Int32Array.from({ length }, (_, i) => from + i), lossMask: new Uint8Array(length).fill(1, 2) });
  const shape = { sequences: 2, length: 8 };

  it('keeps examples whole, apart from each other, each from its own position 0', () => {
    const [batch, more, none] = [...packedBatchesOf([example(5), example(5, 100), example(6, 200), example(2), example(6)], shape)];
    expect([...batch!.ids]).toEqual([0, 1, 2, 3, 100, 101, 102, 103, 200, 201, 202, 203, 204, 0]);
    expect([...batch!.targets]).toEqual([-1, 2, 3, 4, -1, 102, 103, 104, -1, 202, 203, 204, 205, -1]);
    expect([...batch!.spans]).toEqual([0, 4, 8, 13, 14]);
    expect([...batch!.positions.subarray(3, 6)]).toEqual([3, 0, 1]);
    expect(batch!.count).toBe(3 + 3 + 4);
    expect([more!.ids.length, [...more!.spans], none], 'the last has no empty rows').toEqual([5, [0, 5], undefined]);
    expect(sequencesOf([example(5), example(5), example(5)], 8)).toBe(2);
  });

  it('goes through all examples in every epoch, and on exactly from a cursor', () => {
    const examples = [1, 2, 3, 4, 5].map((i) => example(4, 10 * i));
    const stream = new PackedStream(examples, { sequences: 1, length: 3 }, 7);
    const firsts = Array.from({ length: 10 }, () => stream.next().ids[0]!);
    expect(firsts.slice(0, 5).toSorted()).toEqual([10, 20, 30, 40, 50]);
    expect(firsts.slice(5).toSorted()).toEqual([10, 20, 30, 40, 50]);
    expect(firsts.slice(5)).not.toEqual(firsts.slice(0, 5));
    const other = new PackedStream(examples, { sequences: 1, length: 3 }, 7, { epoch: 1, document: 2, pair: 0 });
    expect(other.next().ids[0]).toBe(firsts[7]);
  });

  it('cuts long documents into parts, every prediction once', () => {
    const parts = cutDocument(example(10), 4);
    expect(parts.map(({ ids }) => [ids[0], ids.length])).toEqual([[0, 5], [4, 5], [8, 2]]);
  });
});

describe('a set of examples', () => {
  const file = tinyModel({ architecture: 'llama', embedding: 16, layers: 1, heads: 2, kvHeads: 1, feedForward: 24, vocabulary: 300, context: 40 });
  const many = Array.from({ length: 20 }, (_, i) => ({ prompt: `the cat ${i}`, completion: ' sat' }));
  const long = { prompt: 'the cat', completion: ' on the mat'.repeat(40) };
  const prepare = (examples: unknown[], options = {}) => prepareTuningDataset(file, tokenizer, examples as never[], undefined, options);

  it('is split, its sequences as long as the longest example', async () => {
    const { training, validation, settings, skipped } = await prepare(many);
    expect([training.length, validation.length, skipped]).toEqual([18, 2, 0]);
    expect(settings.context % 8).toBe(0);
    expect(settings.context).toBeLessThanOrEqual(24);
    expect((await prepare(many, { validationShare: 0 })).validation).toEqual([]);
  });

  it.each([[{ lora: true }, 2], [{}, 3], [{ lora: true, validationShare: 0.5 }, 2]])('is evaluated for a tenth of the time at most (%j)', async (options, passes) => {
    const { training, validation, settings } = await prepare(many, { ...options, epochs: 60, batch: 2 });
    const rows = (all: typeof training) => all.reduce((sum, item) => sum + (item as TokenizedExample).ids.length - 1, 0);
    const evaluations = 1 + Math.ceil(settings.steps / settings.evaluateEvery);
    const [evaluated, learnt] = [evaluations * rows(validation), settings.steps * settings.batch * settings.context * passes];
    expect(evaluations).toBeGreaterThan(2);
    expect(evaluated / (evaluated + learnt)).toBeLessThanOrEqual(0.1);
    expect((await prepare(many, { ...options, epochs: 60, batch: 2, evaluateEvery: 1 })).settings.evaluateEvery).toBe(1);
  });

  it('leaves out what is too long and says how much, or cuts it', async () => {
    expect(await prepare([...many, long])).toMatchObject({ skipped: 1, cut: 0, settings: { longExamples: 'skip' } });
    const { cut, skipped, settings } = await prepare([...many, long], { longExamples: 'cut' });
    expect([cut, skipped, settings.context]).toEqual([1, 0, 40]);
  });

  it('keeps the template that wrote it, where the model has none', async () => {
    expect((await prepare(many)).template).toBeUndefined();
    expect((await prepare([{ instruction: 'sit', output: 'sat' }, many[0]])).template).toBe(INSTRUCTION_TEMPLATE);
  });

  it.each<[string, unknown[], object, RegExp]>([
    ['nothing', [], {}, /examples to learn from, found none/],
    ['only what is too long', [long], {}, /found 1, all longer than 40 tokens/],
    ['other fields', [{ question: 'x' }], {}, /Expected an example.*as example 1/],
    ['a number', [7], {}, /Expected an example.*found 7 as example 1/],
    ['a conversation without an answer', [{ messages: [turn('user', 'a')] }], {}, /an answer of the assistant, found none in example 1/],
    ['pairs without preferences', [{ prompt: 'a', completion: 'b' }], { dpo: true }, /Expected a pair: \{ prompt, chosen, rejected \}/],
    ['a context that the model does not have', many, { context: 64 }, /context of at most 40/],
    ['steps and epochs', many, { steps: 1, epochs: 1 }, /either steps or epochs/],
  ])('refuses %s', async (_, examples, options, message) => {
    await expect(prepare(examples, options)).rejects.toMatchObject({ code: 'bad-option', message: expect.stringMatching(message) as string });
  });
});
