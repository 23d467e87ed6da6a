import { type Graph, outputOf, type State } from '../graph/graph.js';
import type { AllExports, KvType, PlacedWeight, RunSizes, Value, WeightForm } from '../graph/node.js';
import type { KernelExports } from '../kernels/instance.js';
import { KEY_BLOCK, rowStride } from '../kernels/layout.js';
import { Program } from '../kernels/program.js';
import { kernelBytes } from '../kernels/sizes.js';
import { dynamic, SLOT, type Step } from '../kernels/steps.js';
import { Addresses, WEIGHT_OF } from './addresses.js';
import { Forward } from './forward.js';
import { onlyOutputRows } from './passes/outputs.js';

export interface PlanOptions {
  readonly exports: KernelExports;
  readonly weights: ReadonlyMap<string, WeightForm>;
  /** Most rows per run. */
  readonly batch: number;
  readonly kvCache: KvType;
  readonly activations: 'q8' | 'f32';
  readonly threads: number;
  /** Gives every value its own buffer, so that all can be looked at afterwards. */
  readonly keepAll?: boolean;
}

/** A flat list of kernel calls at fixed addresses. */
export interface Plan {
  readonly steps: readonly Step[];
  /** Steps from here on only serve the outputs. */
  readonly outputStart: number;
  /** Bytes from the base on. */
  readonly bytes: number;
  /** Addresses of inputs, tables of rows, rotary frequencies: see addresses.ts. */
  addressOf(name: string): number;
  /** Bytes of a page: what all states of a sequence take for KEY_BLOCK tokens. */
  readonly pageBytes: number;
  /** Columns of the logits, and elements between their rows. */
  readonly vocabulary: number;
  readonly logitsStride: number;
  /** Where the values of a kept plan lie, by label: address and elements between rows. */
  readonly values: ReadonlyMap<string, { address: number; stride: number; columns: number }>;
}

/** A plan that has no place yet. */
export interface Blueprint<P, Places> {
  readonly bytes: number;
  /** Where its memory begins, and what lies elsewhere. It can be placed more than once. */
  place(base: number, places: Places): P;
}

/** Calls for which a buffer rests before it is used again: threads that run on would have to meet first. */
const REST = 4;

/** Turns a graph into kernel calls for runs of up to `batch` rows. */
export function planRun(model: Graph, options: PlanOptions): Blueprint<Plan, ReadonlyMap<string, PlacedWeight>> {
  const graph = onlyOutputRows(model);
  const { exports, kvCache, threads, batch, keepAll = false } = options;
  const sizes = { rows: batch, length: 0, dropout: 0 };
  const program = new Program();
  const pages = layOutPage(graph.states, exports, kvCache);
  const outputs = { logits: dynamic(SLOT.logits) };
  const forward = new Forward(graph, program, { ...options, fused: false, sizes, stateOffsets: pages.offsets, outputs });
  forward.emitForward();
  const fixed = new Addresses();
  fixed.takeInputs(graph, batch);
  fixed.takeScratch(scratchBytes(graph, exports, sizes, kvCache), threads);
  const vocabulary = outputOf(graph, 'logits').columns;

  const place = (base: number, weights: ReadonlyMap<string, PlacedWeight>): Plan => {
    const own = fixed.from(base);
    const addresses = new Map([...own, ...[...weights].map(([name, { address }]) => [WEIGHT_OF(name), address] as const)]);
    const { steps, bytes, addressOf } = program.place(base + fixed.end, { addresses, keepAll, rest: REST, runOn: threads > 1 });
    const kept = (value: Value) => ({ address: addressOf(forward.bufferOf(value)), stride: rowStride(value.columns), columns: value.columns });
    return {
      steps,
      outputStart: Math.min(forward.outputStart, steps.length),
      bytes: fixed.end + bytes,
      addressOf: (name) => own.get(name) as number,
      pageBytes: pages.bytes,
      vocabulary,
      logitsStride: rowStride(vocabulary),
      values: keepAll ? new Map(graph.nodes.filter(({ output }) => output.columns > 0).map(({ output }) => [output.label, kept(output)])) : new Map(),
    };
  };
  return { bytes: place(0, new Map()).bytes, place };
}

/** Where each state lies in a page, and the bytes of all. The kernels' own answers are u32, and a model can ask for more. */
export function layOutPage(states: readonly State[], exports: KernelExports, kvCache: KvType): { offsets: number[]; bytes: number } {
  let bytes = 0;
  const offsets = states.map(({ kvHeads, headDim }) => {
    const offset = bytes;
    bytes += kernelBytes(exports, `kv_bytes_${kvCache}`, KEY_BLOCK, kvHeads, headDim);
    return offset;
  });
  return { offsets, bytes };
}

/** What one thread needs while it computes one step. */
export function scratchBytes({ nodes }: Graph, exports: KernelExports, sizes: RunSizes, kvCache: KvType): number {
  return Math.max(64, ...nodes.map((node) => node.op.scratch?.(exports as AllExports, node, sizes, kvCache) ?? 0));
}
