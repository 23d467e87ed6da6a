import { StonechatError } from '../errors.js';
import type { ModelFile } from '../files/types.js';
import type { Graph } from '../graph/graph.js';
import type { Host } from '../host/host.js';
import { Arena } from '../kernels/arena.js';
import { type Build, instantiateKernels, type Kernels, MAX_PAGES, newMemory, PAGE_BYTES } from '../kernels/instance.js';
import { controlBytes, type Pool, singleThread, startPool } from '../kernels/pool.js';
import { buildGraph } from '../models/index.js';
import { makePlan, type Plan, type PlacedWeight, ROPE_KIND } from '../plan/plan.js';
import { PlanRunner } from './run.js';
import { aborted, loadWeights, type LoadWeightsOptions, placeWeights, weightBytes } from './weights.js';

/** Tokens per evaluate: an abort is honoured within this many tokens of prefill. */
const MAX_BATCH = 64;
/** Context reserved when nothing is asked for: a full 128k context would take gigabytes. */
const DEFAULT_CONTEXT = 4096;
const HEAP_BYTES = MAX_PAGES * PAGE_BYTES;
/** Scratch for reading, module data, alignment. */
const OVERHEAD_BYTES = 8 << 20;

export interface RunnerOptions extends LoadWeightsOptions {
  readonly build: Build;
  readonly threads: number;
  readonly contextLength?: number | undefined;
  readonly kvCache: 'f32' | 'q8_0';
  readonly activations: 'q8' | 'f32';
  /** Keeps every intermediate value for inspection (tests, tracing). */
  readonly keepAll?: boolean;
}

/** Bytes of linear memory, before anything is loaded. */
export interface MemoryNeed {
  readonly weights: number;
  readonly kvCache: number;
  readonly scratch: number;
  readonly total: number;
}

interface Layout {
  readonly graph: Graph;
  readonly context: number;
  /** Bytes of the plan's buffers. */
  readonly planBytes: number;
  readonly need: MemoryNeed;
}

function contextOf(graph: Graph, asked: number | undefined): number {
  if (asked === undefined) return Math.min(graph.trainedContext, DEFAULT_CONTEXT);
  if (!Number.isInteger(asked) || asked < 1 || asked > 1 << 24) {
    throw new StonechatError({
      code: 'bad-option',
      expected: 'contextLength to be a whole number from 1 to 16777216',
      found: String(asked),
      remedy: `Leave it out for ${Math.min(graph.trainedContext, DEFAULT_CONTEXT)}.`,
    });
  }
  // Learned positions end where the table ends; rotary ones can be stretched.
  return graph.rope ? asked : Math.min(asked, graph.trainedContext);
}

/** Plans without placing anything, to learn the sizes. */
function layOut(file: ModelFile, exports: Kernels['exports'], options: RunnerOptions): Layout {
  const graph = buildGraph(file);
  const context = contextOf(graph, options.contextLength);
  const weights = placeWeights(file, graph, exports, () => 0);
  const plan = makePlan(graph, planOptions(exports, weights, context, options, 0));
  const need = {
    weights: weightBytes(file, graph, exports),
    kvCache: plan.kvBytesPerLayer * graph.layers,
    scratch: plan.bytes + plan.logitsStride * 4 + OVERHEAD_BYTES,
  };
  return { graph, context, planBytes: plan.bytes, need: { ...need, total: need.weights + need.kvCache + need.scratch } };
}

const planOptions = (exports: Kernels['exports'], weights: ReadonlyMap<string, PlacedWeight>, context: number, options: RunnerOptions, base: number) => ({
  exports,
  weights,
  batch: MAX_BATCH,
  context,
  kvCache: options.kvCache,
  activations: options.activations,
  threads: options.threads,
  base,
  keepAll: options.keepAll ?? false,
});

/** Linear memory that loading `file` would take. Nothing is read but the header. */
export async function estimateMemory(host: Host, file: ModelFile, options: RunnerOptions): Promise<MemoryNeed> {
  const module = await host.compile(options.build, false);
  return layOut(file, instantiateKernels(module, options.build).exports, options).need;
}

export const heapBytes = HEAP_BYTES;

const mib = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;

function checkFits({ graph, context, need }: Layout): void {
  if (need.total <= HEAP_BYTES) return;
  const left = HEAP_BYTES - need.weights - need.scratch;
  const tokens = Math.floor(((left / need.kvCache) * context) / 64) * 64;
  throw new StonechatError({
    code: 'out-of-memory',
    expected: `a model that fits in ${mib(HEAP_BYTES)} of WebAssembly memory`,
    found: `${mib(need.total)}: weights ${mib(need.weights)}, KV cache ${mib(need.kvCache)} for ${context} tokens, scratch ${mib(need.scratch)}`,
    remedy:
      tokens > 0
        ? `Load with contextLength ${tokens} or less${graph.kvHeads ? ', or kvCache "q8_0"' : ''}.`
        : 'Use a smaller model, or one with fewer bits per weight (Q4_0, Q4_K_M).',
  });
}

export interface LoadedRunner {
  readonly runner: PlanRunner;
  readonly arena: Arena;
  readonly graph: Graph;
  readonly plan: Plan;
  readonly need: MemoryNeed;
}

/** Reads a model into a fresh linear memory and starts its threads. */
export async function loadRunner(host: Host, file: ModelFile, options: RunnerOptions): Promise<LoadedRunner> {
  const shared = options.threads > 1;
  const module = await host.compile(options.build, shared);
  const kernels = instantiateKernels(module, options.build, newMemory(1, shared));
  const layout = layOut(file, kernels.exports, options);
  checkFits(layout);
  if (options.signal?.aborted) throw aborted(options.signal);
  const { graph, context, planBytes, need } = layout;
  const arena = new Arena(kernels.memory);
  arena.reserve(need.total, 'the model');
  const weights = placeWeights(file, graph, kernels.exports, (bytes) => arena.allocate(bytes, 'the weights'));
  const control = arena.allocate(controlBytes(options.threads), 'threads');
  const base = arena.allocate(planBytes, 'scratch');
  const plan = makePlan(graph, planOptions(kernels.exports, weights, context, options, base));
  const starting = shared ? startPool(host, kernels, plan.steps, options.threads, control) : Promise.resolve(singleThread(kernels, plan.steps));
  const pool = await whileStarting(starting, (started) => {
    const meanwhile = async () => void (await Promise.all([options.meanwhile?.(), started]));
    return loadWeights(file, weights, graph, kernels, arena, { ...options, meanwhile });
  });
  writeFrequencies(graph, kernels, plan.frequencies, weights);
  const runner = new PlanRunner({ graph, kernels, arena, plan, pool, contextLength: context, maxBatch: MAX_BATCH });
  return { runner, arena, graph, plan, need };
}

/** Threads start while the first weights are read, and end should loading fail. */
async function whileStarting(starting: Promise<Pool>, load: (started: Promise<Pool>) => Promise<void>): Promise<Pool> {
  try {
    await load(starting);
    return await starting;
  } catch (error) {
    starting.then((pool) => pool.stop(), () => {});
    throw error;
  }
}

/** Rotary frequencies as f64, divided by the model's own factors where it has them (Llama 3.x). */
export function writeFrequencies({ rope }: Graph, { exports, memory }: Kernels, address: number, weights: ReadonlyMap<string, PlacedWeight>): void {
  if (!rope) return;
  exports.rope_frequencies(address, rope.dims, rope.base, ROPE_KIND[rope.kind], rope.factor, rope.low, rope.high, rope.originalContext);
  if (!rope.factors) return;
  const factors = new Float32Array(memory.buffer, weights.get(rope.factors)!.address, rope.dims / 2);
  const frequencies = new Float64Array(memory.buffer, address, rope.dims / 2);
  for (let i = 0; i < frequencies.length; i++) frequencies[i]! /= factors[i]!;
}
