import type { GraphBuilder } from '../graph/builder.js';
import type { Gradient, Op, Value } from '../graph/node.js';
import { same } from './columns.js';

type Gaussian = Readonly<Record<never, never>>;

/** mean + e^(log variance / 2) noise: a draw that gradients go through (Kingma and Welling 2013, arXiv:1312.6114). */
export const gaussianOp: Op<Gaussian> = {
  name: 'gaussian',
  columns: same,
  forward(on, { inputs, output }) {
    const y = on.write(output);
    const [mean, variance, noise] = inputs.map((x) => on.read(x));
    on.call('gaussian_f32', [y.at, mean!.at, variance!.at, noise!.at, output.columns, y.stride, mean!.stride, variance!.stride, noise!.stride], on.rows(output));
  },
};

/** The noise has none. */
export const gaussianGradient: Gradient<Gaussian> = {
  keeps: ({ inputs }) => inputs.slice(1),
  backward(on, { inputs, output }) {
    const dy = on.gradient(output);
    const [, variance, noise] = inputs.map((x) => on.read(x));
    on.intoInputs(inputs.slice(0, 2), ([dMean, dVariance]) => {
      const strides = [dMean!.stride, dVariance!.stride, dy.stride, variance!.stride, noise!.stride];
      on.call('gaussian_f32_grad', [dMean!.at, dVariance!.at, dy.at, variance!.at, noise!.at, output.columns, ...strides], on.rows(output));
    });
  },
};

export const gaussian = (g: GraphBuilder, mean: Value, logVariance: Value, noise: Value, label: string): Value =>
  g.node({ op: gaussianOp, attributes: {}, inputs: [mean, logVariance, noise], columns: mean.columns, label });
