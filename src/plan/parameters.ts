import type { TensorInfo } from '../files/types.js';
import type { WeightUse } from '../graph/graph.js';
import type { PlacedWeight } from '../graph/node.js';
import { rowStride } from '../kernels/layout.js';

const ALIGN_ELEMENTS = 16;

/**
 * The trained weights side by side in one region, so that the optimizer walks over all at once: first the matrices, which
 * decay, then the vectors (norms, biases), which do not. Gradients and both moments lie in regions of the same layout.
 */
export interface ParameterLayout {
  /** Elements of each region, and how many of them, from the start, decay. */
  readonly count: number;
  readonly decayed: number;
  readonly offsets: ReadonlyMap<string, ParameterPlace>;
}

export interface ParameterPlace {
  /** Elements from the start of the region. */
  readonly offset: number;
  readonly matrix: boolean;
  readonly rows: number;
  readonly columns: number;
}

const packedElements = (rows: number, columns: number): number => Math.ceil(rows / 8) * 8 * columns;

/** Lays out the weights of a graph that `trained` accepts. */
export function layOutParameters(uses: readonly WeightUse[], tensors: ReadonlyMap<string, TensorInfo>, trained: (name: string) => boolean): ParameterLayout {
  const offsets = new Map<string, ParameterPlace>();
  let count = 0;
  const add = ({ name, role }: WeightUse) => {
    const [columns = 1, ...others] = tensors.get(name)!.shape;
    const rows = others.reduce((a, b) => a * b, 1);
    const matrix = role === 'matrix';
    offsets.set(name, { offset: count, matrix, rows: matrix ? rows : 1, columns });
    const elements = matrix ? packedElements(rows, columns) : rowStride(columns);
    count += Math.ceil(elements / ALIGN_ELEMENTS) * ALIGN_ELEMENTS;
  };
  const chosen = uses.filter(({ name }) => trained(name));
  chosen.filter(({ role }) => role === 'matrix').forEach(add);
  const decayed = count;
  chosen.filter(({ role }) => role === 'vector').forEach(add);
  return { count, decayed, offsets };
}

/** The weights where a region that begins at `address` holds them. */
export function placeParameters({ offsets }: ParameterLayout, address: number): Map<string, PlacedWeight> {
  return new Map([...offsets].map(([name, { offset, rows, columns }]) => [name, { address: address + offset * 4, type: 'f32', rows, columns }]));
}
