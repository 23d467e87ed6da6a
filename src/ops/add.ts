import type { GraphBuilder } from '../graph/builder.js';
import type { Gradient, Op, Value } from '../graph/node.js';
import { same } from './columns.js';

type Add = Readonly<Record<never, never>>;

export const addOp: Op<Add> = {
  name: 'add',
  columns: same,
  overwrites: true,
  forward(on, { inputs, output }) {
    const [a, b, y] = [on.read(inputs[0]!), on.read(inputs[1]!), on.write(output)];
    on.call('add_f32', [y.at, a.at, b.at, output.columns, y.stride, a.stride, b.stride], on.rows(output));
  },
};

export const addGradient: Gradient<Add> = { passes: true };

export const add = (g: GraphBuilder, a: Value, b: Value, label: string): Value =>
  g.node({ op: addOp, attributes: {}, inputs: [a, b], columns: a.columns, label });
