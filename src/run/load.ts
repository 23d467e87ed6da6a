import { StonechatError } from '../errors.js';
import { aborted } from '../files/refuse.js';
import type { ModelFile } from '../files/types.js';
import { type Graph, outputOf } from '../graph/graph.js';
import type { KvType, PlacedWeight } from '../graph/node.js';
import type { Host } from '../host/host.js';
import { Arena } from '../kernels/arena.js';
import { type Build, instantiateKernels, type Kernels, MAX_PAGES, newMemory, PAGE_BYTES } from '../kernels/instance.js';
import { keyBlocks, ROPE_KIND, rowStride } from '../kernels/layout.js';
import { compileSets, setsOf } from '../kernels/sets.js';
import { controlBytes, type Pool, singleThread, startPool } from '../kernels/pool.js';
import type { ContextLimits, Network } from '../models/architecture.js';
import { buildNetwork } from '../models/index.js';
import { FREQUENCIES_OF } from '../plan/addresses.js';
import { layOutPage, type Plan, planRun } from '../plan/plan.js';
import { PlanRunner } from './run.js';
import { ALIGN, loadWeights, type LoadWeightsOptions, matrixTypes, placeWeights } from './weights.js';

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
  /** Bytes of the states of all sequences. */
  readonly maxCacheBytes?: number | undefined;
  readonly kvCache: KvType;
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

/** Where the weights go, and what is known before there is a plan. */
interface Places {
  readonly context: number;
  readonly weights: ReadonlyMap<string, PlacedWeight>;
  /** Address of the words that threads meet by. */
  readonly control: number;
  /** Bytes of both, and where they end. */
  readonly bytes: number;
  readonly end: number;
  /** Without the plan's buffers. */
  readonly need: MemoryNeed;
}

/** Where the rest goes: the plan's buffers, from where the places end. */
interface Layout {
  readonly plan: Plan;
  readonly need: MemoryNeed;
}

function contextOf(limits: ContextLimits, asked: number | undefined): number {
  const usual = Math.min(limits.trained, DEFAULT_CONTEXT);
  if (asked === undefined) return usual;
  if (!Number.isInteger(asked) || asked < 1 || asked > 1 << 24) {
    throw new StonechatError({
      code: 'bad-option',
      expected: 'contextLength to be a whole number from 1 to 16777216',
      found: String(asked),
      remedy: `Leave it out for ${usual}.`,
    });
  }
  // Learned positions end where the table ends; rotary ones can be stretched.
  return limits.stretches ? asked : Math.min(asked, limits.trained);
}

/** The sets of kernels that the file needs, and the network, which this thread builds while they are compiled. */
const prepare = (host: Host, file: ModelFile, { build }: RunnerOptions, shared: boolean): Promise<[WebAssembly.Module[], Network]> =>
  Promise.all([compileSets(host, build, shared, setsOf(matrixTypes(file))), soon(() => buildNetwork(file))]);

/** Places the weights of a model from address `first` on. There need be no memory yet. */
function placeModel(file: ModelFile, { graph, context: limits }: Network, exports: Kernels['exports'], options: RunnerOptions, first: number): Places {
  const context = contextOf(limits, options.contextLength);
  let end = first;
  const take = (bytes: number) => {
    const address = end;
    end += Math.ceil(bytes / ALIGN) * ALIGN;
    return address;
  };
  const weights = placeWeights(file, graph, exports, take);
  const control = take(controlBytes(options.threads));
  const kvCache = layOutPage(graph.states, exports, options.kvCache).bytes * keyBlocks(context);
  const logits = rowStride(outputOf(graph, 'logits').columns) * 4;
  return { context, weights, control, bytes: end - first, end, need: sum({ weights: control - first, kvCache, scratch: logits + OVERHEAD_BYTES }) };
}

const sum = (need: Omit<MemoryNeed, 'total'>): MemoryNeed => ({ ...need, total: need.weights + need.kvCache + need.scratch });

function layOut(graph: Graph, exports: Kernels['exports'], options: RunnerOptions, { weights, end, need }: Places): Layout {
  const { kvCache, activations, threads, keepAll = false } = options;
  const plan = planRun(graph, { exports, weights, batch: MAX_BATCH, kvCache, activations, threads, keepAll }).place(end, weights);
  return { plan, need: sum({ ...need, scratch: need.scratch + plan.bytes }) };
}

/** Linear memory that loading `file` would take. Nothing is read but the header. */
export async function estimateMemory(host: Host, file: ModelFile, options: RunnerOptions): Promise<MemoryNeed & { warnings: readonly string[] }> {
  const [sets, network] = await prepare(host, file, options, false);
  const { exports } = instantiateKernels(sets, options.build);
  const { need } = layOut(network.graph, exports, options, placeModel(file, network, exports, options, 0));
  return { ...need, warnings: warningsOf(file, network.context, options.contextLength) };
}

/** What the user of a model should know. `asked`: the context that was asked for. */
export function warningsOf({ warnings = [] }: ModelFile, limits: ContextLimits, asked = 0): readonly string[] {
  const { trained: trainedContext, stretches } = limits;
  if (asked > trainedContext) {
    const beyond = stretches
      ? `the context of ${asked} tokens is longer than the ${trainedContext} that the model was trained on: what it says beyond those may be worse`
      : `the model has no positions beyond ${trainedContext} tokens: its context is no longer, although ${asked} were asked for`;
    return [...warnings, beyond];
  }
  return warnings;
}

export const heapBytes = HEAP_BYTES;

const mib = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;

function checkFits(graph: Graph, context: number, need: MemoryNeed): void {
  if (need.total <= HEAP_BYTES) return;
  const left = HEAP_BYTES - need.weights - need.scratch;
  const tokens = Math.floor(((left / need.kvCache) * context) / 64) * 64;
  throw new StonechatError({
    code: 'out-of-memory',
    expected: `a model that fits in ${mib(HEAP_BYTES)} of WebAssembly memory`,
    found: `${mib(need.total)}: weights ${mib(need.weights)}, KV cache ${mib(need.kvCache)} for ${context} tokens, scratch ${mib(need.scratch)}`,
    remedy:
      tokens > 0
        ? `Load with contextLength ${tokens} or less${graph.states.length ? ', or kvCache "q8_0"' : ''}.`
        : 'Use a smaller model, or one with fewer bits per weight (Q4_0, Q4_K_M).',
  });
}

export interface LoadedRunner {
  readonly runner: PlanRunner;
  readonly arena: Arena;
  readonly network: Network;
  readonly plan: Plan;
  readonly need: MemoryNeed;
}

/** Reads a model into a fresh linear memory and starts its threads. */
export async function loadRunner(host: Host, file: ModelFile, options: RunnerOptions): Promise<LoadedRunner> {
  const shared = options.threads > 1;
  const [sets, network] = await prepare(host, file, options, shared);
  const { graph } = network;
  const kernels = instantiateKernels(sets, options.build, newMemory(1, shared));
  const arena = new Arena(kernels.memory);
  const places = placeModel(file, network, kernels.exports, options, arena.used);
  const { context, weights, bytes } = places;
  const complete = () => {
    const layout = layOut(graph, kernels.exports, options, places);
    checkFits(graph, context, layout.need);
    return layout;
  };
  // Reads into the memory itself begin before there is a plan, whose buffers mostly fit into what is left for a KV cache: memory seldom grows again.
  const early = file.direct && places.need.total <= HEAP_BYTES ? undefined : complete();
  if (options.signal?.aborted) throw aborted(options.signal, `loading ${file.name}`);
  arena.reserve((early ?? places).need.total, 'the model');
  arena.allocate(bytes, 'the weights');
  const start = async () => {
    const layout = early ?? complete();
    const { steps } = layout.plan;
    return { ...layout, pool: shared ? await startPool(host, kernels, steps, options.threads, places.control) : singleThread(kernels, steps) };
  };
  const { plan, need, pool } = await whileStarting(start, (meanwhile) =>
    loadWeights(file, weights, graph, kernels, arena, { ...options, meanwhile: async () => void (await Promise.all([meanwhile(), options.meanwhile?.()])) }),
  );
  arena.allocate(plan.bytes, 'the model'); // behind the weights, where loading had its scratch
  writeFrequencies(graph, kernels, plan, weights);
  const runner = new PlanRunner({ graph, kernels, arena, plan, pool, contextLength: context, maxBatch: MAX_BATCH, maxCacheBytes: options.maxCacheBytes });
  return { runner, arena, network, plan, need };
}

/** When the caller has done what it can do at once. */
const soon = async <T>(work: () => T): Promise<T> => Promise.resolve().then(work);

/** Threads start while the first weights are read, and end should loading fail. */
async function whileStarting<Started extends { pool: Pool }>(start: () => Promise<Started>, load: (meanwhile: () => Promise<Started>) => Promise<void>): Promise<Started> {
  let starting: Promise<Started> | undefined;
  try {
    await load(() => (starting = start()));
    return await starting!;
  } catch (error) {
    starting?.then(({ pool }) => pool.stop(), () => {});
    throw error;
  }
}

/** Rotary frequencies as f64, divided by the model's own factors where it has them (Llama 3.x). */
export function writeFrequencies({ inputs }: Graph, { exports, memory }: Kernels, plan: Pick<Plan, 'addressOf'>, weights: ReadonlyMap<string, PlacedWeight>): void {
  for (const [name, input] of Object.entries(inputs)) {
    if (input.kind !== 'angles') continue;
    const { dims, base, kind, factor, low, high, originalContext, factors } = input.rope;
    const address = plan.addressOf(FREQUENCIES_OF(name));
    exports.rope_frequencies(address, dims, base, ROPE_KIND[kind], factor, low, high, originalContext);
    if (!factors) continue;
    const divisors = new Float32Array(memory.buffer, weights.get(factors)!.address, dims / 2);
    const frequencies = new Float64Array(memory.buffer, address, dims / 2);
    for (let i = 0; i < frequencies.length; i++) frequencies[i]! /= divisors[i]!;
  }
}
