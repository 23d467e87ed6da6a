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
import { trainingGraph } from './passes/training.js';
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

export interface TrainPlanOptions {
  readonly exports: AllExports;
  /** Every weight of the graph. */
  readonly weights: ReadonlyMap<string, WeightForm>;
  /** Those that learn. */
  readonly layout: ParameterLayout;
  readonly sequences: number;
  readonly length: number;
  readonly dropout: number;
  /** The fused forms of the products of f32 weights. */
  readonly fusedMultiplyAdd?: boolean;
  /** Gradients of each row's loss are multiplied by a factor of its own (`factors`). */
  readonly weighted?: boolean;
  readonly threads: number;
  /** Of operations: those of src/ops by default. */
  readonly gradients?: Gradients;
}

/** Steps first … end of the plan. */
export interface Phase {
  readonly first: number;
  readonly end: number;
}

export interface TrainPlan {
  readonly steps: readonly Step[];
  /** `clear` zeroes the gradients; `evaluate` leaves the losses of a micro-batch, `learn` its gradients too; `norm` and `update` end an optimizer step. */
  readonly phases: Readonly<Record<'clear' | 'evaluate' | 'learn' | 'norm' | 'update', Phase>>;
  /** Bytes from the base on. */
  readonly bytes: number;
  /** Addresses of inputs, tables of rows, rotary frequencies, the losses: see addresses.ts. */
  addressOf(name: string): number;
  /** f32 [decayed, others] of settings; f64 partial sums of the gradient's squares. */
  readonly settings: number;
  readonly partials: number;
  readonly partialCount: number;
}

export interface TrainPlaces {
  /** The ones that learn as the layout places them. */
  readonly weights: ReadonlyMap<string, PlacedWeight>;
  readonly regions: ParameterRegions;
}

const SETTINGS = 'settings', PARTIALS = 'partials';
const REGIONS = ['weights', 'gradients', 'first', 'second'] as const;

/** Turns a graph into the kernel calls of training on micro-batches of up to sequences × length rows, no sequence longer than `length`. */
export function planTraining(model: Graph, options: TrainPlanOptions): Blueprint<TrainPlan, TrainPlaces> {
  const { exports, layout, threads } = options;
  const whole = trainingGraph(model, { dropout: options.dropout > 0, weighted: options.weighted ?? false });
  const graph = onlyOutputRows(whole);
  const sizes = { ...options, rows: options.sequences * options.length };
  const fixed = new Addresses();
  fixed.takeInputs(graph, sizes.rows);
  fixed.take(OUTPUT_OF('loss'), sizes.rows * F32_BYTES);
  fixed.take(SETTINGS, 2 * SETTINGS_WORDS * F32_BYTES);
  const partialCount = blocks(layout.count, NORM_BLOCK);
  fixed.take(PARTIALS, partialCount * 8);
  fixed.takeScratch(trainScratchBytes(graph, exports, sizes, options.gradients ?? GRADIENTS), threads);
  const program = new Program();
  const phases = emitPhases(graph, program, options, sizes);

  const place = (base: number, { weights, regions }: TrainPlaces): TrainPlan => {
    const own = fixed.from(base);
    const learning = [...layout.offsets].map(([name, { offset }]) => [GRADIENT_OF(name), regions.gradients + offset * F32_BYTES] as const);
    const placed = [...weights].map(([name, { address }]) => [WEIGHT_OF(name), address] as const);
    const addresses = new Map([...own, ...placed, ...learning, ...REGIONS.map((name) => [name, regions[name]] as const)]);
    const { steps, bytes } = program.place(base + fixed.end, { addresses });
    const addressOf = (name: string) => own.get(name) as number;
    return { steps, phases, bytes: fixed.end + bytes, addressOf, settings: addressOf(SETTINGS), partials: addressOf(PARTIALS), partialCount };
  };
  return { bytes: place(0, { weights: new Map(), regions: { weights: 0, gradients: 0, first: 0, second: 0 } }).bytes, place };
}

/** What one thread needs while it computes one step or its gradient. */
function trainScratchBytes(graph: Graph, exports: AllExports, sizes: RunSizes, gradients: Gradients): number {
  const backward = graph.nodes.map((node) => gradients.get(node.op as never)?.scratch?.(exports, node as never, sizes) ?? 0);
  return Math.max(scratchBytes(graph, exports, sizes), ...backward);
}

function emitPhases(graph: Graph, program: Program, options: TrainPlanOptions, sizes: RunSizes): TrainPlan['phases'] {
  const phase = (emit: () => void): Phase => {
    const first = program.length;
    emit();
    return { first, end: program.length };
  };
  const { layout, fusedMultiplyAdd: fused = false } = options;
  const learns = (name: string) => layout.offsets.has(name);
  const reach = new Reach(graph.nodes, options.gradients ?? GRADIENTS, learns);
  const kept = new Set(graph.nodes.flatMap((node) => reach.keptBy(node)));
  const forward = { ...options, activations: 'f32', kvCache: 'f32', fused, sizes, stateOffsets: [], kept, zeroed: true } as const;
  const backward = new Backward(graph, program, forward, reach, learns);
  const region = (name: string, elements = 0): Spot => ({ buffer: program.outside(name), offset: elements * F32_BYTES, writes: true });

  const clear = phase(() => program.call('zero_f32', [region('gradients'), layout.count], blocks(layout.count)));
  const evaluate = phase(() => backward.emitForward());
  const learn = phase(() => backward.emitBackward([outputOf(graph, 'loss')]));
  const norm = phase(() => program.call('sum_squares_f32', [region(PARTIALS), region('gradients'), layout.count], blocks(layout.count, NORM_BLOCK)));
  const update = phase(() => emitUpdate(program, layout, region));
  return { clear, evaluate, learn: { first: evaluate.first, end: learn.end }, norm, update };
}

/** The matrices, which decay, then the vectors, which do not. */
function emitUpdate(program: Program, { count, decayed }: ParameterLayout, region: (name: string, elements?: number) => Spot): void {
  const update = (from: number, to: number, settings: Spot) => {
    const regions = REGIONS.map((name) => region(name, from));
    if (to > from) program.call('adamw_f32', [...regions, settings, to - from], blocks(to - from));
  };
  update(0, decayed, region(SETTINGS));
  update(decayed, count, region(SETTINGS, SETTINGS_WORDS));
}
