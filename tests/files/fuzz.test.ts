import { describe, expect, test } from 'vitest';
import { StonechatError } from '../../src/errors.js';
import { openModel } from '../../src/files/index.js';
import { bufferSource, streamSource } from '../../src/files/sources.js';
import type { ModelFile } from '../../src/files/types.js';
import { SMALL, writeLlama2c } from './support/llama2c-writer.js';
import { mutate } from './support/mutate.js';
import { random } from './support/random.js';
import { concat } from './support/safetensors-writer.js';
import { GPT2_CONFIG, GPT2_TENSORS, seedGguf, seedHuggingFace, seedSplit } from './support/seeds.js';
import { readWhole } from './support/shared.js';

/** Mutated files per format. STONECHAT_FUZZ=20000 for the long run. */
const ROUNDS = Number(process.env.STONECHAT_FUZZ ?? 300);
/** Nothing in a seed is longer: what reads more than this has believed a lie. */
const MOST_BYTES = 1 << 20;

type Files = readonly (readonly [name: string, bytes: Uint8Array])[];
const single = (bytes: Uint8Array): Files => [['model', bytes]];

const FORMATS: Record<string, readonly Files[]> = {
  gguf: [single(seedGguf())],
  'split gguf': [seedSplit().map((part, i) => [`part${i}.gguf`, part])],
  'safetensors + config.json': [Object.entries(seedHuggingFace()), Object.entries(seedHuggingFace(GPT2_CONFIG, GPT2_TENSORS))],
  'llama2c v0': [single(writeLlama2c(SMALL, 0)), single(writeLlama2c(SMALL, 0, false))],
  'llama2c v1': [single(writeLlama2c(SMALL, 1)), single(writeLlama2c(SMALL, 1, false))],
  'llama2c v2': [single(writeLlama2c(SMALL, 2)), single(writeLlama2c(SMALL, 2, false))],
};

/** Of unknown length, in pieces of 500 bytes: the header must be parsed without knowing where the file ends. */
function asStream(bytes: Uint8Array, name: string) {
  let at = 0;
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    if (at >= bytes.length) return controller.close();
    controller.enqueue(bytes.slice(at, (at += 500)));
  };
  return streamSource(new ReadableStream({ pull }), { name });
}

async function openAll(files: Files, streamed: boolean): Promise<ModelFile> {
  const source = (name: string, bytes: Uint8Array) => (streamed ? asStream(bytes, name) : bufferSource(bytes, name));
  return files.length === 1 ? openModel(source(...files[0]!)) : openModel(files.map(([name, bytes]) => source(name, bytes)));
}

/** 'read' or 'refused'; anything but a StonechatError is thrown on. */
async function attempt(files: Files, streamed: boolean): Promise<'read' | 'refused'> {
  try {
    const model = await openAll(files, streamed);
    const total = [...model.tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    if (!streamed && total > MOST_BYTES) throw new Error(`${total} bytes of tensors in a small file`);
    await readWhole(model, 1 << 16);
    await model.close();
    return 'read';
  } catch (error) {
    if (error instanceof StonechatError && error.expected && error.found && error.remedy) return 'refused';
    throw error;
  }
}

describe('mutated files end in a StonechatError or a readable model', () => {
  test.each(Object.keys(FORMATS))(
    `%s, ${ROUNDS} of them`,
    async (format) => {
      const seeds = FORMATS[format]!;
      for (const seed of seeds) expect(await attempt(seed, false)).toBe('read');
      const donors = Object.values(FORMATS).flat(2).map(([, bytes]) => bytes);
      const counts = { read: 0, refused: 0 };
      for (let round = 0; round < ROUNDS; round++) {
        const { next, pick } = random(round + 1);
        const files = pick(seeds);
        const victim = next(files.length);
        const mutated = files.map(([name, bytes], i) => [name, i === victim ? mutate(bytes, { next, pick }, donors) : bytes] as const);
        const outcome = await attempt(mutated, next(4) === 0).catch((cause: unknown) => {
          throw new Error(`${format}, round ${round}: ${String(cause)}`, { cause });
        });
        counts[outcome]++;
      }
      // Both outcomes must happen, or the mutations are too weak or too strong to test anything.
      expect(Math.min(counts.read, counts.refused), JSON.stringify(counts)).toBeGreaterThan(ROUNDS / 100);
    },
    30_000 + ROUNDS * 30,
  );

  test('the mutations differ', () => {
    const bytes = concat([seedGguf()]);
    const seen = new Set(Array.from({ length: 200 }, (_, i) => Buffer.from(mutate(bytes, random(i + 1), [bytes])).toString('latin1')));
    expect(seen.size).toBeGreaterThan(190);
  });
});
