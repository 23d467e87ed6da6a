import type { Graph, Node } from '../graph/graph.js';
import { trainingGraph } from '../graph/training.js';
import type { KernelExports, TrainExports } from '../kernels/instance.js';
import { kernelBytes } from '../kernels/sizes.js';
import { constant, type Step } from '../kernels/steps.js';
import type { ParameterLayout } from './parameters.js';
import { angleFactor, type PlacedWeight } from './plan.js';
import { Program } from './program.js';
import { Reach } from './reach.js';
import { TrainBackward } from './train-backward.js';
import { type TrainAddresses, TrainForward, type TrainSizes } from './train-forward.js';
import { blocks, F32_BYTES } from './values.js';

/** Elements per partial sum of the gradient's norm: see assembly/kernels/adamw.ts. */
const NORM_BLOCK = 4096;
/** f32 words of the settings of adamw_f32. */
export const SETTINGS_WORDS = 8;
const ALIGN = 64;

/** Where the four regions of a parameter layout begin. */
export interface ParameterRegions {
  readonly weights: number;
  readonly gradients: number;
  readonly first: number;
  readonly second: number;
}

export interface TrainPlanOptions {
  readonly exports: KernelExports & TrainExports;
  /** Every weight of the graph, the trained ones as the layout places them. */
  readonly weights: ReadonlyMap<string, PlacedWeight>;
  readonly layout: ParameterLayout;
  readonly regions: ParameterRegions;
  readonly sequences: number;
  readonly length: number;
  readonly dropout: number;
  /** The fused forms of the products of f32 weights. */
  readonly fusedMultiplyAdd?: boolean;
  /** Gradients of each row's loss are multiplied by a factor of its own (`factors`). */
  readonly weighted?: boolean;
  readonly threads: number;
  /** Where the plan's buffers begin. */
  readonly base: number;
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
  /** Bytes of buffers from `base` on. */
  readonly bytes: number;
  /** f32 [decayed, others] of settings; f64 partial sums of the gradient's squares. */
  readonly settings: number;
  readonly partials: number;
  readonly partialCount: number;
  /** i32 [sequences × length] each, but for losses and factors, which are f32. */
  readonly ids: number;
  readonly positions: number;
  /** i32 [rows][width], of graphs with a window. */
  readonly windows: number;
  readonly starts: number;
  readonly targets: number;
  readonly losses: number;
  readonly factors: number;
  readonly angles: number;
  readonly frequencies: number;
}

/** Turns a graph into the kernel calls of training on micro-batches of sequences × length tokens. */
export function makeTrainPlan(graph: Graph, options: TrainPlanOptions): TrainPlan {
  const fixed = new Fixed(options.base);
  const rows = options.sequences * options.length;
  const places = placeInputs(fixed, graph, options, rows);
  const program = new Program();
  const phases = emitPhases(graph, options, program, places, { ...options, rows });
  const { steps, bytes } = program.place(fixed.end);
  return { ...places, steps, phases, bytes: fixed.end + bytes - options.base, partialCount: blocks(options.layout.count, NORM_BLOCK) };
}

/** Addresses one after another. */
class Fixed {
  constructor(public end: number) {}

  take(bytes: number): number {
    const address = this.end;
    this.end += Math.ceil(bytes / ALIGN) * ALIGN;
    return address;
  }
}

function placeInputs(fixed: Fixed, graph: Graph, options: TrainPlanOptions, rows: number) {
  const perRow = () => fixed.take(rows * 4);
  const half = (graph.rope?.dims ?? 0) / 2;
  const perThread = Math.ceil(scratchBytes(graph, options) / ALIGN) * ALIGN;
  return {
    ids: perRow(),
    positions: perRow(),
    windows: fixed.take(rows * (graph.window?.width ?? 0) * 4),
    starts: perRow(),
    targets: perRow(),
    losses: perRow(),
    factors: perRow(),
    frequencies: fixed.take(half * 8),
    angles: fixed.take(options.length * 2 * half * F32_BYTES),
    settings: fixed.take(2 * SETTINGS_WORDS * F32_BYTES),
    partials: fixed.take(blocks(options.layout.count, NORM_BLOCK) * 8),
    scratch: { ...constant(fixed.take(perThread * options.threads)), perThread },
  };
}

/** What one thread needs while it computes one step. */
function scratchBytes(graph: Graph, { exports, length, weights }: TrainPlanOptions): number {
  const sizes = graph.nodes.map(({ operation }: Node) => {
    if (operation.op === 'attention') return kernelBytes(exports, 'attention_sequence_scratch_bytes', length, operation.headDim);
    if (operation.op !== 'linear') return 0;
    const { columns: k } = weights.get(operation.weight)!;
    return Math.max(kernelBytes(exports, 'matmul_scratch_bytes', k), kernelBytes(exports, 'matmul_grad_scratch_bytes', k));
  });
  return Math.max(ALIGN, ...sizes);
}

type Places = ReturnType<typeof placeInputs>;

function emitPhases(graph: Graph, options: TrainPlanOptions, program: Program, addresses: TrainAddresses & Places, sizes: TrainSizes): TrainPlan['phases'] {
  const phase = (emit: () => void): Phase => {
    const first = program.length;
    emit();
    return { first, end: program.length };
  };
  const { exports, weights, layout, regions } = options;
  const training = trainingGraph(graph, { dropout: options.dropout > 0 });
  const setting = { graph: training, program, sizes, addresses, weights, fused: options.fusedMultiplyAdd ?? false, reach: new Reach(training.nodes, layout.offsets) };
  const forward = new TrainForward(setting);
  const trained = new Map([...layout.offsets].map(([name, { offset }]) => [name, regions.gradients + offset * F32_BYTES]));

  const clear = phase(() => program.call('zero_f32', [regions.gradients, layout.count], blocks(layout.count)));
  const evaluate = phase(() => {
    forward.emitAll();
    emitLosses(program, addresses, forward.place(training.logits), graph.vocabulary, sizes.rows);
  });
  const backward = phase(() => {
    if (options.weighted) emitFactors(program, addresses, forward.place(training.logits), graph.vocabulary, sizes.rows);
    new TrainBackward(setting, forward, trained, exports).emitAll();
  });
  const norm = phase(() => program.call('sum_squares_f32', [addresses.partials, regions.gradients, layout.count], blocks(layout.count, NORM_BLOCK)));
  const update = phase(() => emitUpdate(program, options, addresses.settings));
  return { clear, evaluate, learn: { first: evaluate.first, end: backward.end }, norm, update };
}

/** Losses as they are, and their gradients divided by the number of rows; what that leaves to be scaled, the optimizer scales. */
function emitLosses(program: Program, { losses, targets }: TrainAddresses, logits: ReturnType<TrainForward['place']>, vocabulary: number, rows: number): void {
  program.call('cross_entropy_f32', [losses, logits.at, targets, vocabulary, logits.stride, 1 / rows], rows);
}

function emitFactors(program: Program, { factors }: Places, logits: ReturnType<TrainForward['place']>, vocabulary: number, rows: number): void {
  program.call('scale_rows_f32', [logits.at, logits.at, factors, vocabulary, logits.stride, logits.stride], rows);
}

function emitUpdate(program: Program, { layout: { count, decayed }, regions }: TrainPlanOptions, settings: number): void {
  const update = (from: number, to: number, at: number) => {
    const shifted = [regions.weights, regions.gradients, regions.first, regions.second].map((region) => region + from * F32_BYTES);
    if (to > from) program.call('adamw_f32', [...shifted, at, to - from], blocks(to - from));
  };
  update(0, decayed, settings);
  update(decayed, count, settings + SETTINGS_WORDS * F32_BYTES);
}

/** Fills the table of rotary angles for positions 0 … length - 1; the frequencies must be there. */
export function writeAngles({ rope }: Graph, exports: KernelExports, { angles, frequencies }: Pick<TrainPlan, 'angles' | 'frequencies'>, length: number): void {
  if (!rope) return;
  exports.rope_angles(angles, frequencies, rope.dims / 2, 0, length, angleFactor(rope, exports));
}

