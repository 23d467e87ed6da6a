// Options by their new names and by the old ones, which work for one release.
import { describe, expect, it } from 'vitest';
import { readArguments } from '../../src/entry/cli/arguments.js';
import { COMMANDS } from '../../src/entry/cli/commands.js';
import { estimate } from '../../src/entry/node.js';
import { byNewNames } from '../../src/entry/former.js';
import { convert, train } from '../../src/entry/train-node.js';

const CORPUS = 'the cat sat on the mat. '.repeat(60);
const TINY = { steps: 3, config: { layers: 1, embedding: 16, heads: 2, context: 16 }, vocabulary: 260, threads: 1, sampleEvery: 0 };

describe('a renamed option', () => {
  it('does what the old name does', async () => {
    const bytesOf = async (options: object) => Buffer.from(await (await train(CORPUS, { ...TINY, ...options })).bytes!());
    const [renamed, old, usual] = await Promise.all([bytesOf({ maxGradNorm: 0.01, keepWeights: 'last' }), bytesOf({ clip: 0.01, keep: 'last' }), bytesOf({})]);
    expect(renamed.equals(old)).toBe(true);
    expect(renamed.equals(usual)).toBe(false);
    const sizes = async (options: object) => (await convert('models/default.gguf', { type: 'q4_0', ...options })).files[0]!.fileBytes;
    expect(await sizes({ quantizeOutput: true })).toBe(await sizes({ pure: true }));
    expect(await sizes({ quantizeOutput: true })).not.toBe(await sizes({}));
  });

  it('is refused beside the old name, and checked as it is', async () => {
    await expect(train(CORPUS, { ...TINY, maxGradNorm: 1, clip: 1 })).rejects.toThrow('Expected maxGradNorm alone, found clip beside it');
    await expect(train(CORPUS, { ...TINY, keepWeights: 'first' as never })).rejects.toThrow('keepWeights to be "best" or "last"');
    expect(byNewNames({ long: 'cut', keepWeights: 'last', pure: true })).toEqual({ longExamples: 'cut', keepWeights: 'last', quantizeOutput: true });
    await expect(convert('models/default.gguf', { pure: true, quantizeOutput: true })).rejects.toThrow('Expected quantizeOutput alone');
  });

  it('is understood at the command line by both names, and shown by the new one', () => {
    const options = (command: string) => COMMANDS.find(({ name }) => name === command)!.options;
    expect(readArguments(['--clip', '2', '--keep=last'], options('train')).number('max-grad-norm')).toBe(2);
    expect(readArguments(['--long', 'cut', '--keep', 'last'], options('finetune')).text('long-examples')).toBe('cut');
    expect(readArguments(['--pure'], options('quantize')).has('quantize-output')).toBe(true);
    expect(() => readArguments(['--clip', '2', '--max-grad-norm', '1'], options('train'))).toThrow('--max-grad-norm once');
  });

  it('of an estimate stands beside the old one', async () => {
    const need = await estimate('models/default.gguf');
    expect(need.kvCacheBytes).toBe(need.kvCache);
  });
});
