import type { GraphBuilder } from '../graph/builder.js';
import type { Gradient, Op, Value } from '../graph/node.js';

interface LogisticLoss {
  /** What sigmoid(x) should be: 1 (real) or 0 (made up), or between. */
  readonly label: number;
  readonly factor: number;
}

/** Cross entropy of sigmoid(x) with a label, summed over the columns of every row. */
export const logisticLossOp: Op<LogisticLoss> = {
  name: 'logistic_loss',
  columns: () => 1,
  forward(on, { attributes: { label }, inputs, output }) {
    const x = on.read(inputs[0]!);
    on.call('logistic_loss_f32', [on.write(output).at, x.at, inputs[0]!.columns, x.stride, label], on.rows(output));
  },
};

export const logisticLossGradient: Gradient<LogisticLoss> = {
  keeps: ({ inputs }) => inputs,
  backward(on, { attributes: { label, factor }, inputs, output }) {
    const x = on.read(inputs[0]!);
    on.intoInputs(inputs, ([dx]) => on.call('logistic_loss_f32_grad', [dx!.at, x.at, inputs[0]!.columns, dx!.stride, x.stride, label, factor / on.sizes.rows], on.rows(output)));
  },
};

export const logisticLoss = (g: GraphBuilder, x: Value, target: number, label: string, factor = 1): Value =>
  g.node({ op: logisticLossOp, attributes: { label: target, factor }, inputs: [x], columns: 1, label });
