import type { Gradient, Op } from '../graph/node.js';

interface CrossEntropy {
  /** The input that names the next id of every row, or -1. */
  readonly targets: string;
  /** The input that holds a factor for the gradient of every row's loss, if there is one. */
  readonly factors: string | undefined;
}

/** -log p(target) of every row, by its logits; rows without a target have 0. It leaves the gradient, over the number of rows, in the place of the logits. */
export const crossEntropyOp: Op<CrossEntropy> = {
  name: 'cross_entropy',
  columns: () => 1,
  forward(on, { attributes: { targets }, inputs, output }) {
    const logits = on.write(inputs[0]!);
    on.call('cross_entropy_f32', [on.write(output).at, logits.at, on.input(targets), inputs[0]!.columns, logits.stride, 1 / on.sizes.rows], on.rows(output));
  },
};

/** What that leaves to be scaled, the optimizer scales. */
export const crossEntropyGradient: Gradient<CrossEntropy> = {
  backward(on, { attributes: { factors }, inputs, output }) {
    const d = on.begin(inputs[0]!);
    if (factors) on.call('scale_rows_f32', [d.at, d.at, on.input(factors), inputs[0]!.columns, d.stride, d.stride], on.rows(output));
  },
};
