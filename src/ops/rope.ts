import type { GraphBuilder } from '../graph/builder.js';
import type { RopeScaling } from '../graph/graph.js';
import type { Caller, Gradient, Op, Place, Value } from '../graph/node.js';
import { same } from './columns.js';

export type RopeStyle = 'interleaved' | 'neox';

interface Rope {
  /** The input that holds the angles. */
  readonly angles: string;
  readonly heads: number;
  readonly headDim: number;
  readonly dims: number;
  readonly style: RopeStyle;
}

function turn(on: Caller, x: Place, { angles, heads, headDim, dims, style }: Rope, of: Value, back: boolean): void {
  on.call('rope_f32', [x.at, on.input(angles), on.table('rows', of), heads, headDim, dims, style === 'neox' ? 1 : 0, back ? 1 : 0, x.stride], on.rows(of));
}

/** Rotary position embedding of heads side by side (Su et al. 2021, arXiv:2104.09864). */
export const ropeOp: Op<Rope> = {
  name: 'rope',
  columns: same,
  overwrites: 'always',
  forward: (on, { attributes, output }) => turn(on, on.write(output), attributes, output, false),
};

/** A rotation turned back. */
export const ropeGradient: Gradient<Rope> = {
  passes: true,
  backward: (on, { attributes, output }) => turn(on, on.rewrite(output, true).to, attributes, output, true),
};

export function rope(g: GraphBuilder, x: Value, heads: number, headDim: number, scaling: RopeScaling, style: RopeStyle): Value {
  if (scaling.factors) g.vector(scaling.factors, scaling.dims / 2);
  const angles = g.input('angles', { kind: 'angles', rope: scaling });
  return g.node({ op: ropeOp, attributes: { angles, heads, headDim, dims: scaling.dims, style }, inputs: [x], columns: x.columns, label: 'rope' });
}
