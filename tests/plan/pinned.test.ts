// Plans and bits as they were when they were pinned: a change of the middle of the house must not move them.
// STONECHAT_PIN=1 writes the files anew; the difference is then read before it is committed.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nodeHost } from '../../src/host/node.js';
import { Arena } from '../../src/kernels/arena.js';
import { instantiateKernels, instantiateTrainKernels, newMemory } from '../../src/kernels/instance.js';
import { type Argument, SLOT, type Step } from '../../src/kernels/steps.js';
import { loadRunner } from '../../src/run/load.js';
import { NEXT_TOKEN, TrainEngine } from '../../src/train/loop/engine.js';
import { quantizeModel, type WrittenType } from '../../src/train/convert/quantize.js';
import { collect } from '../../src/files/chunks.js';
import { writeGguf } from '../../src/files/gguf-writer.js';
import { openModel } from '../../src/files/index.js';
import { type TinyModel, tinyModel, tinyNplm, type TinyShape } from '../models/tiny.js';
import { hashWords } from '../reference/hash.js';
import { allLogits, bits } from '../run/support.js';
import { trainHost } from '../train/support.js';

const RENEW = process.env['STONECHAT_PIN'] === '1';
const FOLDER = join(import.meta.dirname, 'pinned');

/** Columns of whole blocks of every type; a query head for two keys; more tokens than one batch. */
const SHAPE: Omit<TinyShape, 'architecture'> = { embedding: 256, layers: 2, heads: 4, kvHeads: 2, feedForward: 512, vocabulary: 173, context: 160 };
const MODELS: Readonly<Record<string, () => TinyModel>> = {
  llama: () => tinyModel({ ...SHAPE, architecture: 'llama' }),
  gpt2: () => tinyModel({ ...SHAPE, architecture: 'gpt2', kvHeads: 4 }),
  qwen2: () => tinyModel({ ...SHAPE, architecture: 'qwen2', tied: true }),
  qwen3: () => tinyModel({ ...SHAPE, architecture: 'qwen3', headDim: 128 }),
  nplm: () => tinyNplm({ embedding: 64, window: 4, feedForward: 256, vocabulary: 173, padding: 0, direct: true }),
};
const TYPES = ['f32', 'f16', 'q8_0', 'q4_K'] as const satisfies readonly WrittenType[];
const THREADS = [1, 3];
const CACHES = ['f32', 'q8_0'] as const;
/** Numbers of arguments that steps.ts calls kernels with without spreading a list: half the time of a call. */
const WRITTEN_OUT = new Set([...readFileSync('src/kernels/steps.ts', 'utf8').matchAll(/^ {4}case (\d+): return/gm)].map(([, count]) => Number(count)));
const IDS = Array.from({ length: 100 }, (_, i) => (i * 37 + 11) % 173);

const SLOT_NAMES = new Map<number, string>(Object.entries(SLOT).map(([name, slot]) => [slot, name]));

/** Addresses are told from where memory begins to be handed out: module data may grow. */
function written({ base, slot, scale, perThread }: Argument, first: number): string {
  const place = base >= first ? `@${base - first}` : String(base);
  const varying = slot === SLOT.zero ? '' : `${base === 0 ? '' : '+'}${scale === 1 ? '' : `${scale}*`}${SLOT_NAMES.get(slot)}`;
  return `${base === 0 && varying ? '' : place}${varying}${perThread ? `+${perThread}*thread` : ''}`;
}

/** One line a step: kernel, arguments, what is shared among threads; `~` where they need not meet after it. */
const lineOf = ({ kernel, arguments: values, items, runsOn }: Step, first: number): string =>
  [kernel, ...values.map((value) => written(value, first)), items === null ? '' : `| ${written(items, first)}`, runsOn ? '~' : ''].filter(Boolean).join(' ');

async function firstAddress(): Promise<number> {
  const module = await nodeHost().compile('simd', false);
  return new Arena(instantiateKernels(module, 'simd', newMemory(1, false)).memory).used;
}

/** Compares with the file of that name, or writes it. */
function pin(name: string, text: string): void {
  const path = join(FOLDER, name);
  if (RENEW) writeFileSync(path, text);
  expect(existsSync(path), `${path} is missing: STONECHAT_PIN=1 writes it`).toBe(true);
  expect(text).toBe(readFileSync(path, 'utf8'));
}

async function modelOf(architecture: string, type: WrittenType) {
  const kernels = instantiateTrainKernels(await trainHost.host.compile('simd', false), await trainHost.compileTraining('simd', false), 'simd');
  const model = MODELS[architecture]!();
  return type === 'f32' ? model : openModel(await collect(writeGguf(quantizeModel(model, kernels, { type, pure: true }))));
}

describe.each(Object.keys(MODELS))('%s', (architecture) => {
  it.each(TYPES)('as %s has the steps and bits that were pinned', async (type) => {
    const file = await modelOf(architecture, type);
    const first = await firstAddress();
    const sections: string[] = [];
    for (const kvCache of CACHES) {
      for (const threads of THREADS) {
        const { runner, plan } = await loadRunner(nodeHost(), file, { build: 'simd', threads, kvCache, activations: 'q8' });
        const counts = new Set(plan.steps.filter(({ items }) => items !== null).map(({ arguments: values }) => values.length + 2));
        expect([...counts].filter((count) => !WRITTEN_OUT.has(count)), 'arguments of kernels that steps.ts has no case for').toEqual([]);
        const rows = allLogits(runner, IDS, [1, 3, 64]);
        runner.dispose();
        const hash = rows.reduce<bigint | undefined>((state, row) => hashWords(bits(row), state), undefined);
        sections.push([`# kvCache ${kvCache}, threads ${threads}, outputs from step ${plan.outputStart}, logits ${hash!.toString(16)}`, ...plan.steps.map((step) => lineOf(step, first))].join('\n'));
      }
    }
    pin(`${architecture}-${type}.txt`, `${sections.join('\n\n')}\n`);
  });

  it('is trained by the steps that were pinned', async () => {
    const engine = await TrainEngine.open(trainHost, MODELS[architecture]!(), { build: 'simd', threads: 1, sequences: 2, length: 32, dropout: 0.1 });
    const { steps, objectives: { [NEXT_TOKEN]: plan } } = engine.plan;
    const { phases } = plan!;
    const first = await firstAddress();
    const sections = Object.entries(phases).map(([name, { first: from, end }]) => `# ${name}: steps ${from} to ${end}`);
    engine.dispose();
    pin(`${architecture}-train.txt`, `${[...sections, ...steps.map((step) => lineOf(step, first))].join('\n')}\n`);
  });
});
