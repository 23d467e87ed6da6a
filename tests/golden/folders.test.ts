// Folders as transformers writes them, against its own logits. None may be wrong without a word: right, or refused with a name.
import { describe, expect, it } from 'vitest';
import { StonechatError } from '../../src/errors.js';
import { createStonechat } from '../../src/entry/load.js';
import { nodeHost } from '../../src/host/node.js';
import { dataPath, hasData, readJson, titled } from './data.js';

interface Golden {
  kind?: string;
  ids: number[];
  logits?: number[];
}

const { load } = createStonechat(nodeHost());
const TOLERANCE = 1e-3;

/** Undefined: refused. */
async function distance(folder: string, { ids, logits }: Golden): Promise<number | undefined> {
  try {
    using model = await load(dataPath(folder), { activations: 'f32', threads: 1, contextLength: 256 });
    const got = await model.logits(ids);
    return Math.max(...logits!.map((x, i) => Math.abs(x - got[i]!))) / Math.max(1, ...logits!.map(Math.abs));
  } catch (error) {
    if (!(error instanceof StonechatError)) throw error;
    return undefined;
  }
}

const all = hasData ? Object.entries(readJson<{ models: Record<string, Golden> }>('hf-tiny/golden.json').models) : [];
const RIGHT = new Set(['llama', 'llama-tied', 'llama-bias', 'llama-headdim', 'llama-linear', 'llama-llama3', 'llama-yarn', 'mistral', 'qwen2', 'qwen3', 'gpt2']);

describe.skipIf(!hasData)(titled('folders of transformers'), () => {
  it.each(all)('%s is right or refused', async (name, golden) => {
    const off = await distance(`hf-tiny/${name}`, golden);
    if (RIGHT.has(name)) expect(off).toBeLessThan(TOLERANCE);
    else if (off !== undefined) expect(off).toBeLessThan(TOLERANCE);
  });

  it.each(['yarn-mscale', 'tied-llama-tied-head-only'])('faults: %s', async (name) => {
    expect(await distance(`faults/folders/${name}`, readJson<Record<string, Golden>>('faults/folders/golden.json')[name]!)).toBeLessThan(TOLERANCE);
  });
});
