import type { Graph } from '../graph/graph.js';
import { outputOf } from '../graph/graph.js';
import type { AllExports, PlacedWeight, RunSizes, WeightForm } from '../graph/node.js';
import { blocks, F32_BYTES } from '../kernels/layout.js';
import { Program, type Spot } from '../kernels/program.js';
import type { Step } from '../kernels/steps.js';
import { GRADIENTS, type Gradients } from '../ops/gradients.js';
import { Addresses, GRADIENT_OF, OUTPUT_OF, WEIGHT_OF } from './addresses.js';
import { Backward } from './backward.js';
import type { ParameterLayout } from './parameters.js';
import { onlyOutputRows } from './passes/outputs.js';
import { leadingTo } from './passes/rewriter.js';
import { type Blueprint, scratchBytes } from './plan.js';
import { Reach } from './reach.js';

/** Elements per partial sum of the gradient's norm: see assembly/kernels/adamw.ts. */
const NORM_BLOCK = 4096;
/** f32 words of the settings of adamw_f32. */
export const SETTINGS_WORDS = 8;

/** Where the four regions of a parameter layout begin. */
export interface ParameterRegions {
  readonly weights: number;
  readonly gradients: number;
  readonly first: number;
  readonly second: number;
}

/** What a phase of training makes small, and by which weights. A language model has one, a GAN two. */
export interface Objective {
  readonly name: string;
  /** Outputs of the graph: each has one number a row. */
  readonly losses: readonly string[];
  /** The weights that learn: no other objective's. */
  readonly layout: ParameterLayout;
}

export interface TrainPlanOptions {
  readonly exports: AllExports;
  /** Every weight of the graph. */
  readonly weights: ReadonlyMap<string, WeightForm>;
  readonly objectives: readonly Objective[];
  readonly sequences: number;
  readonly length: number;
  readonly dropout: number;
  /** The fused forms of the products of f32 weights. */
  readonly fusedMultiplyAdd?: boolean;
  readonly threads: number;
  /** Of operations: those of src/ops by default. */
  readonly gradients?: Gradients;
}

/** Steps first … end of the plan. */
export interface Phase {
  readonly first: number;
  readonly end: number;
}

/** One objective's part of a plan. */
export interface ObjectivePlan {
  /** `clear` zeroes the gradients; `evaluate` leaves the losses of a micro-batch, `learn` its gradients too; `norm` and `update` end an optimizer step. */
  readonly phases: Readonly<Record<'clear' | 'evaluate' | 'learn' | 'norm' | 'update', Phase>>;
  /** f32 [decayed, others] of settings; f64 partial sums of the gradient's squares. */
  readonly settings: number;
  readonly partials: number;
  readonly partialCount: number;
}

export interface TrainPlan {
  readonly steps: readonly Step[];
  /** By name. */
  readonly objectives: Readonly<Record<string, ObjectivePlan>>;
  /** Bytes from the base on. */
  readonly bytes: number;
  /** Addresses of inputs, tables of rows, rotary frequencies, the losses: see addresses.ts. */
  addressOf(name: string): number;
}

export interface TrainPlaces {
  /** The ones that learn as their layout places them. */
  readonly weights: ReadonlyMap<string, PlacedWeight>;
  /** By objective. */
  readonly regions: Readonly<Record<string, ParameterRegions>>;
}

const SETTINGS = 'settings', PARTIALS = 'partials';
const REGIONS = ['weights', 'gradients', 'first', 'second'] as const;
const NOWHERE: ParameterRegions = { weights: 0, gradients: 0, first: 0, second: 0 };
const partialCountOf = ({ layout }: Objective): number => blocks(layout.count, NORM_BLOCK);
/** What each objective has of its own. */
const nameOf = ({ name }: Objective, what: string): string => `${what} of ${name}`;

/**
 * Turns a graph in its training form into the kernel calls of training, objective by objective, on micro-batches of up to
 * sequences × length rows, no sequence longer than `length`.
 */
export function planTraining(graph: Graph, options: TrainPlanOptions): Blueprint<TrainPlan, TrainPlaces> {
  const { objectives, threads } = options;
  const sizes = { ...options, rows: options.sequences * options.length };
  const fixed = new Addresses();
  fixed.takeInputs(graph, sizes.rows);
  for (const name of Object.keys(graph.outputs)) fixed.take(OUTPUT_OF(name), sizes.rows * F32_BYTES);
  for (const objective of objectives) {
    fixed.take(nameOf(objective, SETTINGS), 2 * SETTINGS_WORDS * F32_BYTES);
    fixed.take(nameOf(objective, PARTIALS), partialCountOf(objective) * 8);
  }
  fixed.takeScratch(trainScratchBytes(graph, options, sizes), threads);
  const program = new Program();
  const phases = objectives.map((objective) => emitPhases(onlyOutputRows(leadingTo(graph, objective.losses)), program, objective, options, sizes));

  const place = (base: number, places: TrainPlaces): TrainPlan => {
    const own = fixed.from(base);
    const addresses = new Map([...own, ...objectives.flatMap((objective) => addressesOf(objective, places.regions[objective.name] ?? NOWHERE))]);
    for (const [name, { address }] of places.weights) addresses.set(WEIGHT_OF(name), address);
    const { steps, bytes } = program.place(base + fixed.end, { addresses });
    const addressOf = (name: string) => own.get(name) as number;
    const planOf = (objective: Objective, i: number): ObjectivePlan =>
      ({ phases: phases[i]!, settings: addressOf(nameOf(objective, SETTINGS)), partials: addressOf(nameOf(objective, PARTIALS)), partialCount: partialCountOf(objective) });
    return { steps, objectives: Object.fromEntries(objectives.map((objective, i) => [objective.name, planOf(objective, i)])), bytes: fixed.end + bytes, addressOf };
  };
  return { bytes: place(0, { weights: new Map(), regions: {} }).bytes, place };
}

function addressesOf(objective: Objective, regions: ParameterRegions): (readonly [string, number])[] {
  const learning = [...objective.layout.offsets].map(([name, { offset }]) => [GRADIENT_OF(name), regions.gradients + offset * F32_BYTES] as const);
  return [...learning, ...REGIONS.map((name) => [nameOf(objective, name), regions[name]] as const)];
}

/** What one thread needs while it computes one step or its gradient. */
function trainScratchBytes(graph: Graph, { exports, gradients = GRADIENTS }: TrainPlanOptions, sizes: RunSizes): number {
  const backward = graph.nodes.map((node) => gradients.get(node.op as never)?.scratch?.(exports, node as never, sizes) ?? 0);
  return Math.max(scratchBytes(graph, exports, sizes, 'f32'), ...backward);
}

function emitPhases(graph: Graph, program: Program, objective: Objective, options: TrainPlanOptions, sizes: RunSizes): ObjectivePlan['phases'] {
  const phase = (emit: () => void): Phase => {
    const first = program.length;
    emit();
    return { first, end: program.length };
  };
  const { fusedMultiplyAdd: fused = false, gradients = GRADIENTS } = options;
  const { layout, losses } = objective;
  const learns = (name: string) => layout.offsets.has(name);
  const reach = new Reach(graph.nodes, gradients, learns);
  const kept = new Set(graph.nodes.flatMap((node) => reach.keptBy(node)));
  const forward = { ...options, activations: 'f32', kvCache: 'f32', fused, sizes, stateOffsets: [], kept, zeroed: true } as const;
  const backward = new Backward(graph, program, forward, reach, learns);
  const own = (what: string, elements = 0): Spot => ({ buffer: program.outside(nameOf(objective, what)), offset: elements * F32_BYTES, writes: true });

  const clear = phase(() => program.call('zero_f32', [own('gradients'), layout.count], blocks(layout.count)));
  const evaluate = phase(() => backward.emitForward());
  const learn = phase(() => backward.emitBackward(losses.map((name) => outputOf(graph, name))));
  const norm = phase(() => program.call('sum_squares_f32', [own(PARTIALS), own('gradients'), layout.count], partialCountOf(objective)));
  const update = phase(() => emitUpdate(program, layout, own));
  return { clear, evaluate, learn: { first: evaluate.first, end: learn.end }, norm, update };
}

/** The matrices, which decay, then the vectors, which do not. */
function emitUpdate(program: Program, { count, decayed }: ParameterLayout, own: (what: string, elements?: number) => Spot): void {
  const update = (from: number, to: number, settings: Spot) => {
    const regions = REGIONS.map((name) => own(name, from));
    if (to > from) program.call('adamw_f32', [...regions, settings, to - from], blocks(to - from));
  };
  update(0, decayed, own(SETTINGS));
  update(decayed, count, own(SETTINGS, SETTINGS_WORDS));
}
