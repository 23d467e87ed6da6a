import type { KernelExports } from '../kernels/instance.js';
import { type Argument, constant, SLOT, type Step } from '../kernels/steps.js';
import type { Region, Space } from './workbench.js';

export type Unit = 'GFLOP/s' | 'GOP/s' | 'Gweights/s' | 'GB/s' | 'MB/s';
/** What a kernel cannot exceed: the rate of multiply-add in f32, of integer dots, of reading its own operand. */
export type LimitName = 'float' | 'integer' | 'read';

export const GROUPS = [
  'gemm', 'gemv', 'memory', 'batch', 'attention', 'softmax', 'rmsnorm', 'quantize', 'rope', 'gate', 'bpe',
] as const;
export type Group = (typeof GROUPS)[number];
/** Groups of many lines, left out unless they are named. */
export const ON_REQUEST: ReadonlySet<Group> = new Set(['batch']);

/** Operands in one instance's memory, and the call that is measured. */
export interface Prepared {
  /** Walked by the threads, or for what has no threads: called. */
  readonly step: Step | (() => void);
  /** What the call reads of memory, where `limit` is 'read'. */
  readonly reads?: Region;
  /** Puts the operands back to what they were: kernels that work in place. */
  readonly restore?: () => void;
  /** The result as a hash. Called after one call. */
  digest(): string;
}

/** One line of the table. */
export interface Case {
  readonly name: string;
  readonly group: Group;
  readonly unit: Unit;
  /** Operations, weights or bytes of one call, in what `unit` counts (10^9, or 10^6 for MB/s). */
  readonly work: number;
  /** None where no limit of the machine applies. */
  readonly limit?: { readonly name: LimitName; /** Operations or bytes of one call; default: the bytes of `reads`. */ readonly work?: number };
  prepare(space: Space, threads: number): Prepared;
}

export interface Sizes {
  /** Rows and columns of matrices: multiples of 256. */
  readonly width: number;
  readonly tokens: readonly number[];
  /** Rows of a batch: one token each of so many sequences. */
  readonly batch: readonly number[];
  readonly contexts: readonly number[];
  /** Weights that do not fit in any cache; 0 leaves these cases out. */
  readonly memoryBytes: number;
  /** Length of the text that is encoded. */
  readonly textBytes: number;
}

/** What the tables show. */
export const FULL: Sizes = {
  width: 2048, tokens: [64, 512], batch: [1, 2, 3, 4, 5, 6, 7, 8], contexts: [512, 2048], memoryBytes: 256 << 20,
  textBytes: 1_000_000,
};
export const QUICK: Sizes = { width: 512, tokens: [16], batch: [8], contexts: [128], memoryBytes: 0, textBytes: 20_000 };
/** Odd numbers of rows and a context that ends within a block: what the proof runs. */
export const PROOF: Sizes = { width: 256, tokens: [7], batch: [3, 6], contexts: [77], memoryBytes: 0, textBytes: 5000 };

type Trimmed<List> = List extends [...infer Head, number, number] ? { [I in keyof Head]: number | Argument } : never;

/** A slot of the plan that is 1 while the kernel is measured and 0 while a limit is. */
export const GATE = SLOT.tokens;
export const gated = (slot: typeof GATE | typeof SLOT.outputTokens, count: number): Argument => ({ base: 0, slot, scale: count, perThread: 0 });

/** A kernel call whose last two arguments, the range of items, are shared among the threads. */
export function stepOf<K extends keyof KernelExports>(kernel: K, list: Trimmed<Parameters<KernelExports[K]>>, items: number): Step {
  return { kernel, arguments: (list as (number | Argument)[]).map((x) => (typeof x === 'number' ? constant(x) : x)), items: gated(GATE, items) };
}

/** Each thread's own scratch memory. */
export function scratch(space: Space, bytes: number, threads: number): Argument {
  const perThread = Math.ceil(bytes / 64) * 64;
  return { ...constant(space.allocate(perThread * threads).address), perThread };
}
