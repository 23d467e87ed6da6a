import type { DType } from '../files/types.js';
import type { KernelExports, KernelName, TrainExports } from '../kernels/instance.js';
import type { Operand, Spot } from '../kernels/program.js';
import type { Argument } from '../kernels/steps.js';

/** Which rows of a run a value has: all of them, or only those that are asked for (the output's). */
export type Rows = 'all' | 'output';

/** A matrix of f32, one row per row of the run. A view shares the storage of `of`, starting at column `offset`. */
export interface Value {
  readonly id: number;
  readonly columns: number;
  readonly rows: Rows;
  readonly view?: { readonly of: Value; readonly offset: number };
  /** For inspection and tests: `blk.0.attn_norm`. */
  readonly label: string;
}

/** One operation at work: on these values, with these weights and attributes. */
export interface Node<A = unknown> {
  readonly op: Op<A>;
  readonly attributes: A;
  readonly inputs: readonly Value[];
  /** Names of the weights that it takes. */
  readonly weights: readonly string[];
  /** Without columns where the operation only changes a state. */
  readonly output: Value;
}

/** Where the rows of a value or of its gradient begin, and the elements between them. */
export interface Place {
  readonly at: Spot;
  readonly stride: number;
}

/** How keys and values are kept. */
export const KV_TYPES = ['f32', 'f16', 'q8_0', 'q4_0'] as const;
export type KvType = (typeof KV_TYPES)[number];

/** How a weight lies in linear memory: a packed matrix (rows x columns) or a plain f32 vector (type f32, one row). */
export interface WeightForm {
  readonly type: DType;
  readonly rows: number;
  readonly columns: number;
}

/**
 * What the run says of its rows, in tables of i32 or u32, one entry a row: `rows`, which row of all it is; `positions`, its place
 * in its sequence; `pages`, the address of its sequence's page table. And `tiles`, [first row, rows]: neighbours of one sequence.
 */
export type RowTable = 'rows' | 'positions' | 'pages' | 'tiles';

/** What an operation asks for, to write its kernel calls down. */
export interface Caller {
  readonly exports: KernelExports;
  /** What products of quantised weights multiply with. */
  readonly activations: 'q8' | 'f32';
  readonly kvCache: KvType;
  /** Products of f32 weights round once per multiply-add. */
  readonly fused: boolean;
  readonly sizes: RunSizes;
  read(x: Value): Place;
  write(x: Value): Place;
  /** Number of a value's rows, `per` for each. */
  rows(x: Value, per?: number): Argument;
  /** Number of tiles of a value's rows, `per` for each. */
  tiles(x: Value, per?: number): Argument;
  /** Of a value's rows; `rows` is 0 where they are all. */
  table(name: RowTable, x: Value): Operand;
  weight(name: string): WeightForm & { readonly at: Spot };
  /** 0 where there is none. */
  vector(name: string | undefined): Operand;
  /** One of the graph's inputs: of all rows. */
  input(name: string): Spot;
  /** Where a state lies in a page. */
  state(index: number): Spot;
  /** Each thread's own. */
  readonly scratch: Operand;
  /** Memory for so many bytes per row that goes with a value under a name; `make` fills it when it is first asked for. */
  beside(x: Value, name: string, rowBytes: number, make?: (at: Spot) => void): Spot;
  /** The nodes that read a value. */
  readers(x: Value): readonly Node[];
  /** `items`: what the threads share; null: one thread makes the call alone. */
  call(kernel: KernelName, operands: readonly Operand[], items: Argument | number | null): void;
}

/** A weight that has a place in linear memory. */
export interface PlacedWeight extends WeightForm {
  readonly address: number;
}

/** Sizes of a run; what only training has is 0 elsewhere. */
export interface RunSizes {
  /** Most rows of a run. */
  readonly rows: number;
  /** Most rows of one sequence. */
  readonly length: number;
  /** Share of elements that dropout zeroes. */
  readonly dropout: number;
}

export type AllExports = KernelExports & TrainExports;

/**
 * One operation: what it computes, and by which kernel calls. It has a file of its own in src/ops, with the function that
 * models write it down by. Its gradient stands beside it under a name of its own, so that a page leaves it out.
 */
export interface Op<A = unknown> {
  readonly name: string;
  /** Columns of the result that the inputs imply; undefined: the caller's word; NaN: they contradict each other. */
  columns(inputs: readonly Value[], attributes: A): number | undefined;
  /** It may write over an input of its own width that nobody needs any more; 'always': it writes over its first. */
  readonly overwrites?: true | 'always';
  /** A row of its result, or of a state, depends on other rows of its inputs: they must all be there. */
  readonly mixesRows?: boolean;
  /** The input, one of rows, that its result is. */
  input?(attributes: A): string;
  /** Bytes that one thread needs while it computes it. */
  scratch?(exports: AllExports, node: Node<A>, sizes: RunSizes, kvCache: KvType): number;
  /** Floating-point operations of one row, a multiplication and an addition counted as two, with `context` rows to look back at. */
  flops?(node: Node<A>, context: number): number;
  forward(on: Caller, node: Node<A>): void;
}

/** What a gradient asks for beside. */
export interface BackwardCaller extends Caller {
  /** The gradient of a value that has one. */
  gradient(x: Value): Place;
  /** Where to write the gradient of x, and whether something is there already, to be added to. */
  target(x: Value): { readonly place: Place; readonly accumulate: boolean };
  /** The gradient of the result, to be read and, at a place that is its own, written: `keep` if not every column of it will be. */
  rewrite(x: Value, keep: boolean): { readonly from: Place; readonly to: Place };
  /** Where the gradient of x is added to, beginning with 0. */
  sum(x: Value): Place;
  /** The forward pass left the gradient of x in the place of x itself. */
  begin(x: Value): Place;
  /** Gradients of inputs by a kernel that cannot add: what must be added to goes through memory of its own. */
  intoInputs(inputs: readonly Value[], write: (places: readonly Place[]) => void): void;
  /** Where the gradient of a weight gathers, if it learns. */
  learns(weight: string | undefined): Spot | undefined;
  /** Whether the gradient of x is wanted. */
  needs(x: Value): boolean;
}

/** How the gradient of a result gives those of its inputs and weights (the chain rule, one operation at a time). */
export interface Gradient<A = unknown> {
  /** Forward values that it reads again: nothing writes over them until then. */
  keeps?(node: Node<A>, learns: (weight: string) => boolean): readonly Value[];
  scratch?(exports: AllExports, node: Node<A>, sizes: RunSizes): number;
  backward?(on: BackwardCaller, node: Node<A>): void;
  /** Afterwards the gradient of the result is that of every input too. */
  readonly passes?: boolean;
}

/** The value whose columns x is a part of. */
export const root = (x: Value): Value => (x.view ? root(x.view.of) : x);
/** Column of the root at which x begins. */
export const offsetOf = (x: Value): number => (x.view ? offsetOf(x.view.of) + x.view.offset : 0);
