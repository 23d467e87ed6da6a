import type { GraphBuilder } from '../graph/builder.js';
import type { Gradient, Op, Value } from '../graph/node.js';

interface SquaredError {
  /** Multiplies its gradient beside other losses. */
  readonly factor: number;
}

/** Sum of (x - target)^2 of every row: both are values. */
export const squaredErrorOp: Op<SquaredError> = {
  name: 'squared_error',
  columns: ([x, target]) => (x!.columns === target!.columns ? 1 : NaN),
  forward(on, { inputs, output }) {
    const [x, target] = [on.read(inputs[0]!), on.read(inputs[1]!)];
    on.call('squared_error_f32', [on.write(output).at, x.at, target.at, inputs[0]!.columns, x.stride, target.stride], on.rows(output));
  },
};

export const squaredErrorGradient: Gradient<SquaredError> = {
  keeps: ({ inputs }) => inputs,
  backward(on, { attributes: { factor }, inputs, output }) {
    const [x, target] = [on.read(inputs[0]!), on.read(inputs[1]!)];
    on.intoInputs(inputs, ([dx, dTarget]) => {
      const strides = [dx!.stride, dTarget!.stride, x.stride, target.stride];
      on.call('squared_error_f32_grad', [dx!.at, dTarget!.at, x.at, target.at, inputs[0]!.columns, ...strides, factor / on.sizes.rows], on.rows(output));
    });
  },
};

export const squaredError = (g: GraphBuilder, x: Value, target: Value, label: string, factor = 1): Value =>
  g.node({ op: squaredErrorOp, attributes: { factor }, inputs: [x, target], columns: 1, label });
