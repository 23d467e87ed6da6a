import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createStonechat } from '../../src/entry/load.js';
import { StonechatError } from '../../src/errors.js';
import { nodeHost } from '../../src/host/node.js';
import { mutate } from '../files/support/mutate.js';
import { random } from '../files/support/random.js';
import { dataPath, hasData, titled } from '../golden/data.js';

/** Mutated models per format, loaded whole and asked for two tokens. STONECHAT_FUZZ=20000 for the long run. */
const ROUNDS = Math.ceil(Number(process.env.STONECHAT_FUZZ ?? 200) / 4);
const FORMATS: Record<string, { files: string[]; tokenizer?: string }> = {
  gguf: { files: ['models/derived/stories260K/stories260K-Q4_0.gguf'] },
  'hugging face': { files: ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'].map((name) => `models/hf/TinyStories-656K/${name}`) },
  llama2c: { files: ['models/llama2c/tinytinystories44K/tinytinystories44K.bin'], tokenizer: 'models/llama2c/tinytinystories44K/tokenizer.bin' },
};
const { load } = createStonechat(nodeHost());

async function attempt(parts: readonly File[], tokenizer: File | undefined): Promise<'ran' | 'refused'> {
  try {
    const source = parts.length === 1 ? parts[0]! : [...parts];
    const model = await load(source, { contextLength: 64, ...(tokenizer && { tokenizer }) });
    try {
      for await (const _ of model.generate('Once upon', { maxTokens: 2, temperature: 0, ignoreEos: true }));
    } finally {
      model.dispose();
    }
    return 'ran';
  } catch (error) {
    if (error instanceof StonechatError && error.expected && error.found && error.remedy) return 'refused';
    throw error;
  }
}

describe.skipIf(!hasData)(titled('a mutated model ends in a StonechatError or runs'), () => {
  it.each(Object.keys(FORMATS))(`%s, ${ROUNDS} of them`, { timeout: 60_000 + ROUNDS * 200 }, async (format) => {
    const { files, tokenizer } = FORMATS[format]!;
    const seeds = [...files, ...(tokenizer ? [tokenizer] : [])].map((path) => new Uint8Array(readFileSync(dataPath(path))));
    const outcomes = { ran: 0, refused: 0 };
    const run = (bytes: readonly Uint8Array[]) => {
      const [parts, companion] = [files, tokenizer ? [tokenizer] : []].map((paths, list) =>
        paths.map((path, i) => new File([bytes[i + list * files.length]! as Uint8Array<ArrayBuffer>], path.split('/').at(-1)!)),
      ) as [File[], File[]];
      return attempt(parts, companion[0]);
    };
    expect(await run(seeds)).toBe('ran');
    for (let round = 0; round < ROUNDS; round++) {
      const source = random(round + 1);
      const victim = source.next(seeds.length);
      const bytes = seeds.map((seed, i) => (i === victim ? mutate(seed, source, seeds) : seed));
      const outcome = await run(bytes).catch((cause: unknown) => {
        throw new Error(`${format}, round ${round}, file ${victim}: ${String(cause)}`, { cause });
      });
      outcomes[outcome]++;
    }
    expect(outcomes.refused, JSON.stringify(outcomes)).toBeGreaterThan(ROUNDS / 10);
  });
});
