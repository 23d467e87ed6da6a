import type { KernelExports, KernelName } from './instance.js';

/**
 * Values that change from run to run, kept in one small table of u32 words (in shared memory when there are threads).
 * A step's argument is `base + scale * slots[slot]`: slot ZERO adds nothing.
 */
export const SLOT = {
  zero: 0,
  /** Rows of this run, and how many of them an output is wanted of. */
  tokens: 1,
  outputTokens: 2,
  /** Tiles of both: see attention. */
  tiles: 3,
  outputTiles: 4,
  /** Address of the logits. */
  logits: 5,
  /** Steps of the plan to walk: up to here, from `stepFirst` on. */
  stepCount: 6,
  stepFirst: 7,
  /** Of training: what dropout draws from, and 1 where it is on. */
  seed: 8,
  dropout: 9,
  /** Of training: sequences of this run. */
  spans: 10,
} as const;
export const SLOT_COUNT = 11;

export type SlotIndex = (typeof SLOT)[keyof typeof SLOT];

export interface Argument {
  readonly base: number;
  readonly slot: SlotIndex;
  readonly scale: number;
  /** Adds thread * perThread: each thread's own scratch. */
  readonly perThread: number;
}

export const constant = (base: number): Argument => ({ base, slot: SLOT.zero, scale: 0, perThread: 0 });
export const dynamic = (slot: SlotIndex, scale = 1, base = 0): Argument => ({ base, slot, scale, perThread: 0 });

/** One kernel call of a plan. Plain data: it is posted to workers. */
export interface Step {
  readonly kernel: KernelName;
  readonly arguments: readonly Argument[];
  /** Number of rows, groups or items to share among the threads (first and end are appended); null: one thread calls it once. */
  readonly items: Argument | null;
  /** Threads need not wait for each other after this step; see barriers.ts. */
  readonly runsOn?: boolean;
}

type Kernel = (...values: number[]) => unknown;

/** A step as one thread calls it: what never changes is in place, what differs from run to run is named. */
export interface BoundStep {
  readonly call: Kernel;
  /** All arguments; the last two are first and end where there are items to share. */
  readonly values: number[];
  readonly changing: readonly { readonly index: number; readonly argument: Argument }[];
  readonly items: Argument | null;
  readonly meets: boolean;
}

/** The steps as `thread` walks them. */
export function bindSteps(steps: readonly Step[], exports: KernelExports, thread = 0): BoundStep[] {
  const kernels = exports as unknown as Record<KernelName, Kernel>;
  const none = new Uint32Array(SLOT_COUNT);
  return steps.map(({ kernel, arguments: list, items, runsOn }) => {
    const values: number[] = [];
    const changing: { index: number; argument: Argument }[] = [];
    for (const argument of list) {
      if (argument.slot !== SLOT.zero) changing.push({ index: values.length, argument });
      values.push(valueOf(argument, none, thread));
    }
    if (items) values.push(0, 0);
    return { call: kernels[kernel], values, changing, items, meets: !runsOn };
  });
}

const valueOf = (argument: Argument, slots: Uint32Array, thread: number): number =>
  argument.base + argument.scale * slots[argument.slot]! + argument.perThread * thread;

/**
 * The walk that every thread makes: each step, its own share of the items, then, where the plan wants it, the barrier.
 * `meet` is the barrier between steps that need one and after the last; with one thread it is left out.
 */
export function walk(bound: readonly BoundStep[], slots: Uint32Array, thread: number, threads: number, meet?: () => void): void {
  const count = slots[SLOT.stepCount]!;
  for (let i = slots[SLOT.stepFirst]!; i < count; i++) {
    const step = bound[i]!;
    const { values, changing } = step;
    const items = step.items ? valueOf(step.items, slots, thread) : 1;
    const first = step.items ? Math.floor((items * thread) / threads) : thread;
    const end = step.items ? Math.floor((items * (thread + 1)) / threads) : 1;
    if (first < end) {
      for (let c = 0; c < changing.length; c++) values[changing[c]!.index] = valueOf(changing[c]!.argument, slots, thread);
      if (step.items) {
        values[values.length - 2] = first;
        values[values.length - 1] = end;
      }
      invoke(step.call, values);
    }
    if (meet && (step.meets || i === count - 1)) meet();
  }
}

/** `call(...values)`; written out, it takes half the time, and a token makes hundreds of calls. */
function invoke(call: Kernel, v: number[]): void {
  switch (v.length) {
    case 6: return void call(v[0]!, v[1]!, v[2]!, v[3]!, v[4]!, v[5]!);
    case 7: return void call(v[0]!, v[1]!, v[2]!, v[3]!, v[4]!, v[5]!, v[6]!);
    case 8: return void call(v[0]!, v[1]!, v[2]!, v[3]!, v[4]!, v[5]!, v[6]!, v[7]!);
    case 9: return void call(v[0]!, v[1]!, v[2]!, v[3]!, v[4]!, v[5]!, v[6]!, v[7]!, v[8]!);
    case 10: return void call(v[0]!, v[1]!, v[2]!, v[3]!, v[4]!, v[5]!, v[6]!, v[7]!, v[8]!, v[9]!);
    case 11: return void call(v[0]!, v[1]!, v[2]!, v[3]!, v[4]!, v[5]!, v[6]!, v[7]!, v[8]!, v[9]!, v[10]!);
    case 12: return void call(v[0]!, v[1]!, v[2]!, v[3]!, v[4]!, v[5]!, v[6]!, v[7]!, v[8]!, v[9]!, v[10]!, v[11]!);
    case 15: return void call(v[0]!, v[1]!, v[2]!, v[3]!, v[4]!, v[5]!, v[6]!, v[7]!, v[8]!, v[9]!, v[10]!, v[11]!, v[12]!, v[13]!, v[14]!);
    case 17: return void call(v[0]!, v[1]!, v[2]!, v[3]!, v[4]!, v[5]!, v[6]!, v[7]!, v[8]!, v[9]!, v[10]!, v[11]!, v[12]!, v[13]!, v[14]!, v[15]!, v[16]!);
    default: return void call(...v);
  }
}
