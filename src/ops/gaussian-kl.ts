import type { GraphBuilder } from '../graph/builder.js';
import type { Gradient, Op, Value } from '../graph/node.js';

interface GaussianKl {
  readonly factor: number;
}

/** Kullback-Leibler divergence of every row's normal distribution from the standard one: the loss that keeps a latent space in order. */
export const gaussianKlOp: Op<GaussianKl> = {
  name: 'gaussian_kl',
  columns: ([mean, variance]) => (mean!.columns === variance!.columns ? 1 : NaN),
  forward(on, { inputs, output }) {
    const [mean, variance] = [on.read(inputs[0]!), on.read(inputs[1]!)];
    on.call('gaussian_kl_f32', [on.write(output).at, mean.at, variance.at, inputs[0]!.columns, mean.stride, variance.stride], on.rows(output));
  },
};

export const gaussianKlGradient: Gradient<GaussianKl> = {
  keeps: ({ inputs }) => inputs,
  backward(on, { attributes: { factor }, inputs, output }) {
    const [mean, variance] = [on.read(inputs[0]!), on.read(inputs[1]!)];
    on.intoInputs(inputs, ([dMean, dVariance]) => {
      const strides = [dMean!.stride, dVariance!.stride, mean.stride, variance.stride];
      on.call('gaussian_kl_f32_grad', [dMean!.at, dVariance!.at, mean.at, variance.at, inputs[0]!.columns, ...strides, factor / on.sizes.rows], on.rows(output));
    });
  },
};

export const gaussianKl = (g: GraphBuilder, mean: Value, logVariance: Value, label: string, factor = 1): Value =>
  g.node({ op: gaussianKlOp, attributes: { factor }, inputs: [mean, logVariance], columns: 1, label });
