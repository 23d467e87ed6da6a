import { createHash } from 'node:crypto';
import { freemem, tmpdir } from 'node:os';
import { mkdtemp, open as openFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openModel } from '../../src/files/index.js';
import type { MetadataValue, ModelFile, TensorInfo } from '../../src/files/types.js';
import { nodeHost } from '../../src/host/node.js';
import type { Progress, WorkerHandle } from '../../src/host/host.js';
import { estimateMemory, loadRunner } from '../../src/run/load.js';
import { syntheticModel } from '../../src/bench/synthetic.js';
import { bufferSource } from '../../src/files/sources.js';
import type { WeightRole } from '../../src/graph/graph.js';
import { Arena } from '../../src/kernels/arena.js';
import { instantiateKernels } from '../../src/kernels/instance.js';
import { ALL_SETS, compileSets } from '../../src/kernels/sets.js';
import { buildNetwork } from '../../src/models/index.js';
import { loadWeights, placeWeights } from '../../src/run/weights.js';
import { type Entry, writeGguf } from '../files/support/gguf-writer.js';
import { tinyModel } from '../models/tiny.js';
import { allLogits, bits, ordinary, runnerFor } from './support.js';
import { evaluate } from '../../src/run/types.js';

const tiny = { architecture: 'llama', embedding: 64, layers: 2, heads: 4, kvHeads: 2, feedForward: 96, vocabulary: 300, context: 128 } as const;
const host = nodeHost();

/** A model file of which only the header exists. */
function headerOnly(metadata: Record<string, MetadataValue>, shapes: Record<string, number[]>, type: TensorInfo['type'], bytesPerElement: number): ModelFile {
  const tensors = Object.entries(shapes).map(([name, shape]): [string, TensorInfo] => [name, { name, type, shape, bytes: shape.reduce((a, b) => a * b, 1) * bytesPerElement }]);
  const read = () => Promise.reject(new Error('nothing may be read'));
  return { format: 'gguf', name: 'huge', fileBytes: 0, metadata: new Map(Object.entries(metadata)), tensors: new Map(tensors), read, sibling: async () => undefined, close: async () => {} };
}

const layer = (embedding: number, feedForward: number): Record<string, number[]> => ({
  'blk.0.attn_norm.weight': [embedding],
  'blk.0.attn_q.weight': [embedding, embedding],
  'blk.0.attn_k.weight': [embedding, embedding],
  'blk.0.attn_v.weight': [embedding, embedding],
  'blk.0.attn_output.weight': [embedding, embedding],
  'blk.0.ffn_norm.weight': [embedding],
  'blk.0.ffn_up.weight': [embedding, feedForward],
  'blk.0.ffn_gate.weight': [embedding, feedForward],
  'blk.0.ffn_down.weight': [feedForward, embedding],
  'output_norm.weight': [embedding],
});
const shapeKeys = (embedding: number, feedForward: number, heads: number): Record<string, MetadataValue> => ({
  'general.architecture': 'llama',
  'llama.embedding_length': embedding,
  'llama.block_count': 1,
  'llama.feed_forward_length': feedForward,
  'llama.attention.head_count': heads,
  'llama.context_length': 131072,
  'llama.attention.layer_norm_rms_epsilon': 1e-5,
});

describe('memory', () => {
  it('is estimated from the header, and no more than that is taken', async () => {
    const file = tinyModel(tiny);
    const need = await estimateMemory(host, file, ordinary);
    const { runner } = await loadRunner(host, file, ordinary);
    runner.newSequence();
    expect(runner.kernels.memory.buffer.byteLength).toBeLessThanOrEqual(need.total + 2 * 65536);
    expect(need.weights).toBeGreaterThanOrEqual(file.fileBytes);
    runner.dispose();
  });

  it('beyond 4 GiB is refused with numbers and a remedy, before anything is read', async () => {
    const file = headerOnly(shapeKeys(8192, 28672, 64), { 'token_embd.weight': [8192, 128256], ...layer(8192, 28672) }, 'f32', 4);
    await expect(loadRunner(host, file, ordinary)).rejects.toMatchObject({
      code: 'out-of-memory',
      found: expect.stringMatching(/\d+ MiB: weights \d+ MiB, KV cache \d+ MiB for 4096 tokens/),
      remedy: expect.stringContaining('fewer bits per weight'),
    });
  });

  it('names the longest context that fits when only the context is too long', async () => {
    const file = headerOnly(shapeKeys(4096, 4096, 32), { 'token_embd.weight': [4096, 1000], ...layer(4096, 4096) }, 'f32', 4);
    const asked = loadRunner(host, file, { ...ordinary, contextLength: 131072 });
    const error = await asked.catch((e: unknown) => e as { remedy: string });
    const tokens = Number(/contextLength (\d+)/.exec((error as { remedy: string }).remedy)?.[1]);
    expect(tokens).toBeGreaterThan(10_000);
    expect((await estimateMemory(host, file, { ...ordinary, contextLength: tokens })).total).toBeLessThanOrEqual(2 ** 32);
  });
});

describe('loading', () => {
  it('reports progress up to the end', async () => {
    const seen: Progress[] = [];
    const { runner } = await loadRunner(host, tinyModel(tiny), { ...ordinary, onProgress: (progress) => void seen.push({ ...progress }) });
    expect(seen.at(-1)!.done).toBe(seen.at(-1)!.total);
    expect(seen.map((p) => p.done)).toEqual(seen.map((p) => p.done).toSorted((a, b) => a - b));
    runner.dispose();
  });

  /** The tiny model as a file of this alignment. */
  async function tinyGguf(alignment: number): Promise<Uint8Array<ArrayBuffer>> {
    const file = tinyModel(tiny);
    const metadata = [...file.metadata].map(([key, value]): [string, Entry] => [key, [typeof value === 'string' ? 'string' : Number.isInteger(value) ? 'u32' : 'f32', value]]);
    const tensors = await Promise.all([...file.tensors.values()].map(async ({ name, type, shape, bytes }) => {
      const data = new Uint8Array(bytes);
      await file.read(file.tensors.get(name)!, 0, data);
      return { name, type, shape, data };
    }));
    return writeGguf(Object.fromEntries([...metadata, ['general.alignment', ['u32', alignment] as const]]), tensors, { alignment });
  }

  it.each([1, 32, 64, 4096])('reads weights that lie side by side at once: the same bits, alignment %i', async (alignment) => {
    const inner = bufferSource(await tinyGguf(alignment));
    let reads = 0;
    const read = (offset: number, into: Uint8Array) => {
      reads++;
      return inner.read(offset, into);
    };
    const joined = await openModel({ ...inner, read });
    const logits = async (model: ModelFile) => allLogits(await runnerFor(host, model), [1, 2, 3]).map(bits);
    reads = 0;
    expect(await logits(joined)).toEqual(await logits(tinyModel(tiny)));
    if (alignment <= 64) expect(reads).toBe(1);
    else expect(reads).toBeLessThanOrEqual(joined.tensors.size);
  });

  it('reads nothing over weights that lie in another order in memory than in the file', async () => {
    const model = await openModel(await tinyGguf(32));
    const { graph } = buildNetwork(model);
    const loaded = async (...roles: WeightRole[][]) => {
      const kernels = instantiateKernels(await compileSets(host, 'simd', false, ALL_SETS), 'simd');
      const arena = new Arena(kernels.memory);
      const allocate = (bytes: number) => arena.allocate(bytes, 'weights');
      const placed = (some: WeightRole[]) => Array.from(placeWeights(model, { ...graph, weights: graph.weights.filter(({ role }) => some.includes(role)) }, kernels.exports, allocate));
      const weights = new Map(roles.flatMap(placed));
      await loadWeights(model, weights, graph, kernels, arena, {});
      const digest = ({ name }: { name: string }) => createHash('sha256').update(new Uint8Array(kernels.memory.buffer, weights.get(name)!.address, model.tensors.get(name)!.bytes)).digest('hex');
      return graph.weights.map((use) => [use.name, digest(use)]);
    };
    const expected = await loaded(['matrix', 'vector']);
    expect(await loaded(['matrix'], ['vector'])).toEqual(expected);
    expect(await loaded(['vector'], ['matrix'])).toEqual(expected);
  });

  it('reads in pieces, and what is of several types, to the same bits', async () => {
    const model = await openModel(await syntheticModel());
    const logits = async (file: ModelFile) => allLogits(await runnerFor(host, file), [1, 2, 3]).map(bits);
    expect(await logits(model)).toEqual(await logits({ ...model, read: (...given) => model.read(...given) }));
  });

  it('stops when aborted', async () => {
    const controller = new AbortController();
    const loading = loadRunner(host, tinyModel(tiny), { ...ordinary, signal: controller.signal, onProgress: () => controller.abort('enough') });
    await expect(loading).rejects.toMatchObject({ code: 'aborted', cause: 'enough' });
  });

  it('does other work meanwhile, and fails with it', async () => {
    const order: string[] = [];
    const onProgress = () => void order.push('weights');
    const { runner } = await loadRunner(host, tinyModel(tiny), { ...ordinary, onProgress, meanwhile: async () => void order.push('other') });
    expect(order[0]).toBe('other');
    runner.dispose();
    const failing = loadRunner(host, tinyModel(tiny), { ...ordinary, meanwhile: () => Promise.reject(new Error('no tokenizer')) });
    await expect(failing).rejects.toThrow('no tokenizer');
  });

  it('ends in the first of several failed reads, with no other left unhandled and no thread behind', async () => {
    const file = tinyModel(tiny);
    const delays = [30, 5, 0]; // later reads fail earlier
    const read = () => new Promise<void>((_, reject) => setTimeout(() => reject(new Error('read failed')), delays.shift() ?? 0));
    const ended: string[] = [];
    const startWorker = () => {
      const worker = host.startWorker();
      return { ...worker, terminate: () => (ended.push('worker'), worker.terminate()) };
    };
    await expect(loadRunner({ ...host, startWorker }, { ...file, read }, { ...ordinary, threads: 3 })).rejects.toThrow('read failed');
    await expect.poll(() => ended).toEqual(['worker', 'worker']);
  });

  it.each([0, 1.5, NaN, -4, 2 ** 30])('refuses contextLength %s', async (contextLength) => {
    await expect(loadRunner(host, tinyModel(tiny), { ...ordinary, contextLength })).rejects.toMatchObject({ code: 'bad-option' });
  });

  it.each([
    ['a missing tensor', (f: ReturnType<typeof tinyModel>) => (f.tensors as Map<string, TensorInfo>).delete('blk.1.ffn_up.weight'), 'not-found'],
    ['a tensor of another shape', (f: ReturnType<typeof tinyModel>) => (f.tensors as Map<string, TensorInfo>).set('blk.0.attn_q.weight', { ...f.tensors.get('blk.0.attn_q.weight')!, shape: [64, 32] }), 'bad-file'],
    ['an unknown architecture', (f: ReturnType<typeof tinyModel>) => (f.metadata as Map<string, MetadataValue>).set('general.architecture', 'mamba'), 'unsupported'],
    ['no head count', (f: ReturnType<typeof tinyModel>) => (f.metadata as Map<string, MetadataValue>).delete('llama.attention.head_count'), 'bad-file'],
    ['heads that do not divide', (f: ReturnType<typeof tinyModel>) => (f.metadata as Map<string, MetadataValue>).set('llama.attention.head_count_kv', 3), 'unsupported'],
    ['an unknown rope scaling', (f: ReturnType<typeof tinyModel>) => (f.metadata as Map<string, MetadataValue>).set('llama.rope.scaling.type', 'longrope'), 'unsupported'],
    ['no tensors at all', (f: ReturnType<typeof tinyModel>) => (f.tensors as Map<string, TensorInfo>).clear(), 'bad-file'],
  ])('refuses %s', async (_, spoil, code) => {
    const file = tinyModel(tiny);
    spoil(file);
    await expect(loadRunner(host, file, ordinary)).rejects.toMatchObject({ name: 'StonechatError', code });
  });
});

describe('workers', () => {
  it('that die end in one clear error, not in a hang', async () => {
    const workers: WorkerHandle[] = [];
    const spying = { ...host, startWorker: () => workers[workers.push(host.startWorker()) - 1]! };
    const { runner } = await loadRunner(spying, tinyModel(tiny), { ...ordinary, threads: 2 });
    const cache = runner.newSequence();
    evaluate(runner, cache, [1, 2, 3]);
    workers[0]!.terminate();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(() => evaluate(runner, cache, [4])).toThrow(expect.objectContaining({ code: 'worker-failed' }));
    expect(() => evaluate(runner, cache, [4])).toThrow(expect.objectContaining({ code: 'worker-failed' }));
  }, 30_000);

  it('that cannot start are reported when loading', async () => {
    const broken = { ...host, startWorker: () => host.startWorker() };
    const failing = { ...broken, startWorker: (): WorkerHandle => ({ post: () => {}, onMessage: () => {}, terminate: () => {}, onFailure: (listener) => void setTimeout(() => listener('no more threads'), 5) }) };
    await expect(loadRunner(failing, tinyModel(tiny), { ...ordinary, threads: 2 })).rejects.toMatchObject({ code: 'worker-failed', found: expect.stringContaining('no more threads') });
  });
});

const GIB = 2 ** 30;
const bigOff = process.env.STONECHAT_BIG !== '1' ? 'set STONECHAT_BIG=1 to run it' : freemem() < 6 * GIB ? 'less than 6 GiB of free memory' : '';
describe.skipIf(bigOff !== '')(`files over 2 GiB${bigOff && ` (skipped: ${bigOff})`}`, () => {
  it('load and read right to their end', { timeout: 120_000 }, async () => {
    const [embedding, vocabulary] = [2048, 560_000];
    const row = embedding * 2;
    const folder = await mkdtemp(join(tmpdir(), 'stonechat-big-'));
    try {
      const path = join(folder, 'big.gguf');
      await writeSparse(path, embedding, vocabulary, row);
      const file = await openModel(path, { open: host.open, list: host.list });
      const { runner, need } = await loadRunner(host, file, { ...ordinary, contextLength: 64 });
      await file.close();
      expect(file.fileBytes).toBeGreaterThan(2.1 * GIB);
      expect(need.total).toBeLessThan(1.2 * file.fileBytes);
      evaluate(runner, runner.newSequence(), [vocabulary - 1]);
      const logits = runner.logits();
      // The last row is all ones and normalises to itself: its logit with itself is the width, all others are 0.
      expect(logits[vocabulary - 1]).toBeCloseTo(embedding, 0);
      expect(logits.subarray(0, -1).every((x) => x === 0)).toBe(true);
      runner.dispose();
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

/** A one-layer f16 model whose weights are a hole on disk, but for the last row of the embedding (all ones) and the norms. */
async function writeSparse(path: string, embedding: number, vocabulary: number, row: number): Promise<void> {
  const ones = new Uint8Array(new Float32Array(embedding).fill(1).buffer);
  const small = (name: string, shape: number[]) => {
    const norm = name.endsWith('norm.weight');
    return { name, type: norm ? ('f32' as const) : ('f16' as const), shape, data: norm ? ones : new Uint8Array(shape.reduce((a, b) => a * b, 1) * 2) };
  };
  const keys = Object.entries(shapeKeys(embedding, 256, 32)).map(([key, value]) => [key, typeof value === 'string' ? (['string', value] as const) : ([key.endsWith('epsilon') ? 'f32' : 'u32', value] as const)]);
  const tensors = Object.entries(layer(embedding, 256)).map(([name, shape]) => small(name, shape));
  const name = 'token_embd.weight';
  const start = writeGguf(Object.fromEntries(keys), [...tensors, { name, type: 'f16', shape: [embedding, 1], data: new Uint8Array(row) }]);
  // Written with one row; the header's count of rows (after the name, the number of sizes and the columns) is then raised.
  const rowsAt = Buffer.from(start.buffer).indexOf(name) + name.length + 4 + 8;
  new DataView(start.buffer).setBigUint64(rowsAt, BigInt(vocabulary), true);
  const handle = await openFile(path, 'w');
  await handle.write(start);
  const end = start.length + row * (vocabulary - 1);
  await handle.write(new Uint8Array(new Uint16Array(embedding).fill(0x3c00).buffer), 0, row, end - row);
  await handle.close();
}
