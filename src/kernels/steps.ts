import type { KernelExports, KernelName } from './instance.js';

/**
 * Values that change from run to run, kept in one small table of u32 words (in shared memory when there are threads).
 * A step's argument is `base + scale * slots[slot]`: slot ZERO makes it a constant.
 */
export const SLOT = {
  zero: 0,
  /** Tokens in this run, and the position of the first. */
  tokens: 1,
  position: 2,
  /** Of those tokens: the first whose logits are wanted, its position, and how many are. */
  headFirst: 3,
  headPosition: 4,
  headTokens: 5,
  /** Work items of attention for all tokens and for the head's. */
  attentionItems: 6,
  headAttentionItems: 7,
  /** Addresses: the sequence's KV cache, the logits. */
  kvCache: 8,
  logits: 9,
  /** Steps of the plan to walk: up to here, from `stepFirst` on. */
  stepCount: 10,
  stepFirst: 11,
  /** Of training: what dropout draws from, and 1 where it is on. */
  seed: 12,
  dropout: 13,
} as const;
export const SLOT_COUNT = 16;

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
  /** Threads need not wait for each other after this step; see plan/meetings.ts. */
  readonly runsOn?: boolean;
}

export interface BoundStep {
  readonly call: (...values: number[]) => unknown;
  readonly step: Step;
  readonly values: number[];
}

export function bindSteps(steps: readonly Step[], exports: KernelExports): BoundStep[] {
  return steps.map((step) => ({
    call: (exports as unknown as Record<KernelName, (...values: number[]) => unknown>)[step.kernel],
    step,
    values: new Array<number>(step.arguments.length + (step.items ? 2 : 0)).fill(0),
  }));
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
    const { call, step, values } = bound[i]!;
    const items = step.items ? valueOf(step.items, slots, thread) : 1;
    const first = step.items ? Math.floor((items * thread) / threads) : thread;
    const end = step.items ? Math.floor((items * (thread + 1)) / threads) : 1;
    if (first < end) {
      const list = step.arguments;
      for (let a = 0; a < list.length; a++) values[a] = valueOf(list[a]!, slots, thread);
      if (step.items) {
        values[list.length] = first;
        values[list.length + 1] = end;
      }
      call(...values);
    }
    if (!step.runsOn || i === count - 1) meet?.();
  }
}
