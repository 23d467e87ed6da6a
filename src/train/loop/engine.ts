import { StonechatError } from '../../errors.js';
import type { ModelFile } from '../../files/types.js';
import type { Graph } from '../../graph/graph.js';
import type { PlacedWeight, WeightForm } from '../../graph/node.js';
import type { Build, Host } from '../../host/host.js';
import { Arena } from '../../kernels/arena.js';
import { instantiateTrainKernels, MAX_PAGES, newMemory, PAGE_BYTES, type TrainKernels } from '../../kernels/instance.js';
import { keyBlocks } from '../../kernels/layout.js';
import { controlBytes, type Pool, singleThread, startPool } from '../../kernels/pool.js';
import { compileSets, setsOf } from '../../kernels/sets.js';
import { SLOT } from '../../kernels/steps.js';
import type { Network } from '../../models/architecture.js';
import { buildNetwork } from '../../models/index.js';
import { INPUT_OF, OUTPUT_OF, TABLE_OF } from '../../plan/addresses.js';
import { layOutParameters, type ParameterLayout, placeParameters } from '../../plan/parameters.js';
import { trainingGraph } from '../../plan/passes/training.js';
import { type Blueprint, type Plan, planRun } from '../../plan/plan.js';
import { type ObjectivePlan, type ParameterRegions, type Phase, planTraining, SETTINGS_WORDS, type TrainPlaces, type TrainPlan } from '../../plan/train-plan.js';
import { writeFrequencies } from '../../run/load.js';
import { PlanRunner } from '../../run/run.js';
import { loadWeights, matrixTypes, placeWeights } from '../../run/weights.js';
import { type ContextIds, writeContextIds } from '../../run/context-ids.js';
import type { Batch } from '../data/batches.js';

/** A host that can also compile the training kernels. */
export interface TrainHost {
  readonly host: Host;
  compileTraining(build: Build, shared: boolean): Promise<WebAssembly.Module>;
}

export interface EngineOptions {
  readonly build: Build;
  readonly threads: number;
  /** Rows of a micro-batch at most: sequences × length; `length`: the longest sequence. */
  readonly sequences: number;
  readonly length: number;
  readonly dropout: number;
  /** Products of f32 weights round once per multiply-add where build and machine can. */
  readonly fusedMultiplyAdd?: boolean;
  /** Gradients are taken by `forward` and `backward`, each row's with a factor of its own. */
  readonly weighted?: boolean;
  /** Which weights learn; the others stay as they are. Default: all. */
  readonly trained?: (name: string) => boolean;
}

/** Bytes of linear memory, before anything is loaded. */
export interface TrainNeed {
  /** Weights, their gradients and both moments. */
  readonly parameters: number;
  /** Activations, their gradients, scratch. */
  readonly activations: number;
  /** For samples between the steps. */
  readonly generation: number;
  readonly total: number;
}

/** What AdamW needs to know of one step. */
export interface UpdateSettings {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** 1 - beta^t. */
  readonly correction1: number;
  readonly correction2: number;
  /** Multiplies the gradients as they were gathered. */
  readonly gradientScale: number;
}

/** Module data, alignment. */
const OVERHEAD_BYTES = 1 << 20;
const HEAP_BYTES = MAX_PAGES * PAGE_BYTES;
const SAMPLE_BATCH = 64;

/** The objective of language models. */
export const NEXT_TOKEN = 'next token';

interface Layout {
  readonly network: Network;
  readonly parameters: ParameterLayout;
  readonly frozen: Pick<Graph, 'weights'>;
  readonly plan: Blueprint<TrainPlan, TrainPlaces>;
  readonly sampling: Blueprint<Plan, ReadonlyMap<string, PlacedWeight>>;
  readonly need: TrainNeed;
}

const mib = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
const rounded = (bytes: number): number => Math.ceil(bytes / 64) * 64;

function layOut(file: ModelFile, exports: TrainKernels['exports'], options: EngineOptions): Layout {
  const network = buildNetwork(file);
  const { graph } = network;
  const trained = options.trained ?? (() => true);
  const parameters = layOutParameters(graph.weights, file.tensors, trained);
  const frozen = { weights: graph.weights.filter(({ name }) => !parameters.offsets.has(name)) };
  let frozenBytes = 0;
  const placed = placeWeights(file, frozen, exports, (bytes) => {
    frozenBytes += rounded(bytes);
    return 0;
  });
  const weights = new Map([...placed, ...placeParameters(parameters, 0)]);
  const form = trainingGraph(graph, { dropout: options.dropout > 0, weighted: options.weighted ?? false });
  const plan = planTraining(form, { ...options, exports, weights, objectives: [{ name: NEXT_TOKEN, losses: ['loss'], layout: parameters }] });
  const sampling = planSampling(graph, exports, weights);
  const { pageBytes, logitsStride } = sampling.place(0, weights);
  const sizes = {
    parameters: frozenBytes + 4 * parameters.count * 4,
    activations: plan.bytes + OVERHEAD_BYTES,
    generation: sampling.bytes + pageBytes * keyBlocks(sampleContext(network, options)) + logitsStride * 4,
  };
  return { network, parameters, frozen, plan, sampling, need: { ...sizes, total: sizes.parameters + sizes.activations + sizes.generation } };
}

const sampleContext = ({ context }: Network, { length }: EngineOptions): number => (context.stretches ? length : Math.min(length, context.trained));

const planSampling = (graph: Graph, exports: TrainKernels['exports'], weights: ReadonlyMap<string, WeightForm>) =>
  planRun(graph, { exports, weights, batch: SAMPLE_BATCH, kvCache: 'f32', activations: 'f32', threads: 1 });

/** The kernels that training this file needs: of its weights, of those that learn, which are f32, and of training. */
const compileAll = ({ host, compileTraining }: TrainHost, file: ModelFile, build: Build, shared: boolean) =>
  Promise.all([compileSets(host, build, shared, setsOf([...matrixTypes(file), 'f32'])), compileTraining(build, shared)]);

function checkFits({ need }: Layout, { sequences, length }: EngineOptions): void {
  if (need.total <= HEAP_BYTES) return;
  throw new StonechatError({
    code: 'out-of-memory',
    expected: `training that fits in ${mib(HEAP_BYTES)} of WebAssembly memory`,
    found: `${mib(need.total)}: weights, gradients and moments ${mib(need.parameters)}, activations ${mib(need.activations)} for ${sequences} sequences of ${length} tokens at a time`,
    remedy:
      need.parameters + need.activations / sequences < HEAP_BYTES
        ? `Take fewer sequences at a time (microBatch below ${sequences}); gradients then add up over several.`
        : 'Train a smaller model, or with a shorter context.',
  });
}

const sumOf = (losses: Float32Array): number => losses.reduce((sum, loss) => sum + loss, 0);

/** Weights in linear memory and the kernel calls that teach them: one optimizer step at a time. */
export class TrainEngine {
  private constructor(
    private readonly layOut: Layout,
    readonly kernels: TrainKernels,
    readonly arena: Arena,
    readonly plan: TrainPlan,
    readonly layout: ParameterLayout,
    readonly regions: ParameterRegions,
    readonly weights: ReadonlyMap<string, PlacedWeight>,
    readonly options: EngineOptions,
    private readonly pool: Pool,
  ) {}

  get graph(): Graph {
    return this.layOut.network.graph;
  }

  private get own(): ObjectivePlan {
    return this.plan.objectives[NEXT_TOKEN]!;
  }

  get need(): TrainNeed {
    return this.layOut.need;
  }

  /** Reads a model into a fresh linear memory and starts the threads. @throws StonechatError `out-of-memory` before anything is read. */
  static async open(from: TrainHost, file: ModelFile, options: EngineOptions & { signal?: AbortSignal | undefined }): Promise<TrainEngine> {
    const { build, threads } = options;
    const shared = threads > 1;
    const [sets, trainModule] = await compileAll(from, file, build, shared);
    const kernels = instantiateTrainKernels(sets, trainModule, build, newMemory(1, shared));
    const layout = layOut(file, kernels.exports, options);
    checkFits(layout, options);
    const { network: { graph }, parameters, need } = layout;
    const arena = new Arena(kernels.memory);
    arena.reserve(need.total, 'training');
    const region = () => arena.allocate(parameters.count * 4, 'weights and moments');
    const regions = { weights: region(), gradients: region(), first: region(), second: region() };
    const frozen = placeWeights(file, layout.frozen, kernels.exports, (bytes) => arena.allocate(bytes, 'frozen weights'));
    const weights = new Map([...frozen, ...placeParameters(parameters, regions.weights)]);
    const control = arena.allocate(controlBytes(threads), 'threads');
    const plan = layout.plan.place(arena.allocate(layout.plan.bytes, 'activations'), { weights, regions: { [NEXT_TOKEN]: regions } });
    await loadWeights(file, weights, graph, kernels, arena, options);
    writeFrequencies(graph, kernels, plan, weights);
    const pool = shared ? await startPool(from.host, kernels, plan.steps, threads, control) : singleThread(kernels, plan.steps);
    return new TrainEngine(layout, kernels, arena, plan, parameters, regions, weights, options, pool);
  }

  get threads(): number {
    return this.pool.threads;
  }

  /** Forgets the gradients. */
  clear(): void {
    this.walk(this.own.phases.clear);
  }

  /** Sum of a micro-batch's losses, in order. */
  evaluate(batch: Batch): number {
    this.write(batch);
    this.walk(this.own.phases.evaluate);
    return sumOf(this.outputLosses());
  }

  /** Losses of a micro-batch's rows; those without a target have 0. */
  losses(batch: Batch): Float32Array {
    this.write(batch);
    this.walk(this.own.phases.evaluate);
    return this.rowLosses(batch);
  }

  /** As `evaluate`, and adds the gradients of (sum of losses) / (most rows) to what was gathered. `seed` is that of dropout. */
  learn(batch: Batch, seed: number): number {
    this.write(batch);
    this.walk(this.own.phases.learn, seed);
    return sumOf(this.outputLosses());
  }

  /** As `losses`, with dropout: the first half of `learn`, for those who weigh the rows by them. */
  forward(batch: Batch, seed: number): Float32Array {
    this.write(batch);
    this.walk(this.own.phases.evaluate, seed);
    return this.rowLosses(batch);
  }

  /** The second half, after `forward` with the same seed: adds the gradients of (sum of factor × loss) / (most rows). */
  backward({ targets }: Batch, factors: Float32Array, seed: number): void {
    const own = factors.filter((_, row) => targets[row]! >= 0);
    new Float32Array(this.memory, this.plan.addressOf(INPUT_OF('factors')), own.length).set(own);
    this.walk({ first: this.own.phases.evaluate.end, end: this.own.phases.learn.end }, seed);
  }

  /** Euclidean norm of the gradients as gathered. */
  norm(): number {
    this.walk(this.own.phases.norm);
    const partials = new Float64Array(this.memory, this.own.partials, this.own.partialCount);
    return Math.sqrt(partials.reduce((sum, part) => sum + part, 0));
  }

  /** One step of AdamW with the gathered gradients; vectors (norms, biases) do not decay. */
  update(settings: UpdateSettings): void {
    const { learningRate, beta1, beta2, epsilon, weightDecay, correction1, correction2, gradientScale } = settings;
    const words = new Float32Array(this.memory, this.own.settings, 2 * SETTINGS_WORDS);
    words.set([learningRate, beta1, beta2, epsilon, weightDecay, correction1, correction2, gradientScale]);
    words.set([learningRate, beta1, beta2, epsilon, 0, correction1, correction2, gradientScale], SETTINGS_WORDS);
    this.walk(this.own.phases.update);
  }

  /** A region of the parameters, in place. */
  region(name: keyof ParameterRegions): Float32Array<ArrayBuffer> {
    return new Float32Array(this.memory as ArrayBuffer, this.regions[name], this.layout.count);
  }

  /** Rows of a trained weight as files have them, from a region of the parameters. */
  tensor(name: string, from: keyof ParameterRegions = 'weights'): Float32Array<ArrayBuffer> {
    const { offset, matrix, rows, columns } = this.layout.offsets.get(name)!;
    const packed = this.region(from).subarray(offset);
    if (!matrix) return packed.slice(0, columns);
    return unpack(packed, rows, columns);
  }

  /** Generates with the weights as they are now, on one thread, from the same memory. */
  runner(): PlanRunner {
    const { layOut: { network, sampling }, graph, kernels, arena, weights, options } = this;
    const plan = sampling.place(arena.allocate(sampling.bytes, 'samples'), weights);
    const contextLength = sampleContext(network, options);
    writeFrequencies(graph, kernels, plan, weights);
    const pool = singleThread(kernels, plan.steps);
    return new PlanRunner({ graph, kernels, arena, plan, pool, contextLength, maxBatch: SAMPLE_BATCH });
  }

  dispose(): void {
    this.pool.stop();
  }

  private get memory(): ArrayBufferLike {
    return this.kernels.memory.buffer;
  }

  private walk({ first, end }: Phase, seed?: number): void {
    const { slots } = this.pool;
    slots[SLOT.stepFirst] = first;
    slots[SLOT.stepCount] = end;
    slots[SLOT.seed] = seed ?? 0;
    slots[SLOT.dropout] = seed === undefined ? 0 : 1;
    this.pool.run();
  }

  private write({ ids, positions, spans, targets }: Batch): void {
    const outputs = Int32Array.from(ids.keys()).filter((row) => targets[row]! >= 0);
    const { slots } = this.pool;
    slots[SLOT.tokens] = ids.length;
    slots[SLOT.outputTokens] = outputs.length;
    slots[SLOT.spans] = spans.length - 1;
    this.put(TABLE_OF('positions', 'all'), positions);
    this.put(TABLE_OF('rows', 'output'), outputs);
    this.put(INPUT_OF('spans'), spans);
    this.put(INPUT_OF('targets'), targets.filter((target) => target >= 0));
    for (const [name, input] of Object.entries(this.graph.inputs)) {
      if (input.kind === 'ids') this.put(INPUT_OF(name), ids);
      if (input.kind === 'contextIds') this.writeContexts(INPUT_OF(name), ids, spans, input);
    }
  }

  private put(name: string, numbers: Int32Array): void {
    new Int32Array(this.memory, this.plan.addressOf(name), numbers.length).set(numbers);
  }

  private writeContexts(name: string, ids: Int32Array, spans: Int32Array, input: ContextIds): void {
    const { width } = input;
    const all = new Int32Array(this.memory, this.plan.addressOf(name), ids.length * width);
    for (let i = 0; i + 1 < spans.length; i++) {
      const [first, end] = [spans[i]!, spans[i + 1]!];
      writeContextIds(all.subarray(first * width, end * width), ids, first, () => first, input);
    }
  }

  /** Of the rows that have a target, one after another. */
  private outputLosses(): Float32Array<ArrayBuffer> {
    const count = this.pool.slots[SLOT.outputTokens]!;
    return new Float32Array(this.memory as ArrayBuffer, this.plan.addressOf(OUTPUT_OF('loss')), count);
  }

  private rowLosses({ targets }: Batch): Float32Array {
    const losses = this.outputLosses();
    let at = 0;
    return Float32Array.from(targets, (target) => (target >= 0 ? losses[at++]! : 0));
  }
}

/** Row-major from groups of 8 rows, column by column. */
function unpack(packed: Float32Array, rows: number, columns: number): Float32Array<ArrayBuffer> {
  const plain = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const from = (row >> 3) * columns * 8 + (row & 7);
    for (let column = 0; column < columns; column++) plain[row * columns + column] = packed[from + column * 8]!;
  }
  return plain;
}
