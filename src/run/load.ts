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
import { aborted, loadWeights, type LoadWeightsOptions, placeWeights } from './weights.js';

/** Tokens per evaluate: an abort is honoured within this many tokens of prefill. */
const MAX_BATCH = 64;
/** Context reserved when nothing is asked for: a full 128k context would take gigabytes. */
const DEFAULT_CONTEXT = 4096;
const HEAP_BYTES = MAX_PAGES * PAGE_BYTES;
/** Scratch for reading, module data, alignment. */
const OVERHEAD_BYTES = 8 << 20;
/** Weights begin at whole cache lines. */
const ALIGN = 64;

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

/** Where everything goes. */
interface Layout {
  readonly context: number;
  readonly weights: ReadonlyMap<string, PlacedWeight>;
  /** Address of the words that threads meet by. */
  readonly control: number;
  readonly plan: Plan;
  /** Bytes of weights, control and the plan's buffers, which lie side by side. */
  readonly bytes: number;
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

/** The kernels' module, and the graph, which this thread builds while the module is compiled. */
const prepare = (host: Host, file: ModelFile, { build }: RunnerOptions, shared: boolean): Promise<[WebAssembly.Module, Graph]> =>
  Promise.all([host.compile(build, shared), soon(() => buildGraph(file))]);

/** Lays a model out from address `first` on. There need be no memory yet. */
function layOut(file: ModelFile, graph: Graph, exports: Kernels['exports'], options: RunnerOptions, first: number): Layout {
  const context = contextOf(graph, options.contextLength);
  let end = first;
  const take = (bytes: number) => {
    const address = end;
    end += Math.ceil(bytes / ALIGN) * ALIGN;
    return address;
  };
  const weights = placeWeights(file, graph, exports, take);
  const control = take(controlBytes(options.threads));
  const plan = makePlan(graph, planOptions(exports, weights, context, options, end));
  const need = {
    weights: control - first,
    kvCache: plan.kvBytesPerLayer * graph.layers,
    scratch: plan.bytes + plan.logitsStride * 4 + OVERHEAD_BYTES,
  };
  return { context, weights, control, plan, bytes: end + plan.bytes - first, need: { ...need, total: need.weights + need.kvCache + need.scratch } };
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
  const [module, graph] = await prepare(host, file, options, false);
  return layOut(file, graph, instantiateKernels(module, options.build).exports, options, 0).need;
}

export const heapBytes = HEAP_BYTES;

const mib = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;

function checkFits(graph: Graph, { context, need }: Layout): void {
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
  const [module, graph] = await prepare(host, file, options, shared);
  const kernels = instantiateKernels(module, options.build, newMemory(1, shared));
  const arena = new Arena(kernels.memory);
  const layout = layOut(file, graph, kernels.exports, options, arena.used);
  checkFits(graph, layout);
  if (options.signal?.aborted) throw aborted(options.signal);
  const { context, weights, control, plan, need } = layout;
  arena.reserve(need.total, 'the model');
  arena.allocate(layout.bytes, 'the model');
  const starting = shared ? startPool(host, kernels, plan.steps, options.threads, control) : soon(() => singleThread(kernels, plan.steps));
  const pool = await whileStarting(starting, (started) => {
    const meanwhile = async () => void (await Promise.all([options.meanwhile?.(), started]));
    return loadWeights(file, weights, graph, kernels, arena, { ...options, meanwhile });
  });
  writeFrequencies(graph, kernels, plan.frequencies, weights);
  const runner = new PlanRunner({ graph, kernels, arena, plan, pool, contextLength: context, maxBatch: MAX_BATCH });
  return { runner, arena, graph, plan, need };
}

/** When the caller has done what it can do at once. */
const soon = async <T>(work: () => T): Promise<T> => Promise.resolve().then(work);

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
