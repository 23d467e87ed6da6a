import type { GraphBuilder } from '../graph/builder.js';
import type { Gradient, Op, Value } from '../graph/node.js';
import { blocks, COLUMN_BLOCK } from '../kernels/layout.js';
import { same } from './columns.js';

type Bias = Readonly<Record<never, never>>;

/** The same vector, added to every row. */
export const biasOp: Op<Bias> = {
  name: 'bias',
  columns: same,
  overwrites: 'always',
  forward(on, { inputs, weights: [weight], output }) {
    const [x, y] = [on.read(inputs[0]!), on.write(output)];
    on.call('add_f32', [y.at, x.at, on.vector(weight), output.columns, y.stride, x.stride, 0], on.rows(output));
  },
};

export const biasGradient: Gradient<Bias> = {
  passes: true,
  backward(on, { weights: [weight], output }) {
    const gradient = on.learns(weight);
    if (gradient === undefined) return;
    const dy = on.gradient(output);
    on.call('bias_f32_grad', [gradient, dy.at, on.rows(output), output.columns, dy.stride], blocks(output.columns, COLUMN_BLOCK));
  },
};

export function bias(g: GraphBuilder, x: Value, weight: string, label: string): Value {
  g.vector(weight, x.columns);
  return g.node({ op: biasOp, attributes: {}, inputs: [x], weights: [weight], columns: x.columns, label });
}
