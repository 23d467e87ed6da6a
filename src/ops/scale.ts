import type { GraphBuilder } from '../graph/builder.js';
import type { Caller, Gradient, Op, Place, Value } from '../graph/node.js';
import { same } from './columns.js';

interface Scale {
  readonly factor: number;
}

const emit = (on: Caller, y: Place, x: Place, factor: number, of: Value) =>
  on.call('scale_f32', [y.at, x.at, factor, of.columns, y.stride, x.stride], on.rows(of));

/** Every element times the same factor. */
export const scaleOp: Op<Scale> = {
  name: 'scale',
  columns: same,
  overwrites: true,
  forward(on, { attributes: { factor }, inputs, output }) {
    const [x, y] = [on.read(inputs[0]!), on.write(output)];
    emit(on, y, x, factor, output);
  },
};

export const scaleGradient: Gradient<Scale> = {
  passes: true,
  backward(on, { attributes: { factor }, output }) {
    const { from, to } = on.rewrite(output, false);
    emit(on, to, from, factor, output);
  },
};

export const scale = (g: GraphBuilder, x: Value, factor: number, label: string): Value =>
  g.node({ op: scaleOp, attributes: { factor }, inputs: [x], columns: x.columns, label });
