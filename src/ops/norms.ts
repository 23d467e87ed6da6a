import type { GraphBuilder } from '../graph/builder.js';
import type { BackwardCaller, Gradient, Node, Op, Place, Value } from '../graph/node.js';
import { blocks, COLUMN_BLOCK, F32_BYTES } from '../kernels/layout.js';
import { same } from './columns.js';

interface RmsNorm {
  readonly epsilon: number;
  /** Parts of a row that are normalised one by one (heads), by the same weight. */
  readonly groups: number;
}
interface LayerNorm {
  readonly epsilon: number;
}

/** Root mean square normalisation (Zhang and Sennrich 2019, arXiv:1910.07467). */
export const rmsnormOp: Op<RmsNorm> = {
  name: 'rmsnorm',
  columns: same,
  forward(on, { attributes: { epsilon, groups }, inputs, weights: [weight], output }) {
    const [x, y] = [on.read(inputs[0]!), on.write(output)];
    on.call('rmsnorm_f32', [y.at, x.at, on.vector(weight), output.columns / groups, groups, y.stride, x.stride, epsilon], on.rows(output));
  },
};

/** Layer normalisation (Ba et al. 2016, arXiv:1607.06450). */
export const layernormOp: Op<LayerNorm> = {
  name: 'layernorm',
  columns: same,
  forward(on, { attributes: { epsilon }, inputs, weights: [weight, bias], output }) {
    const [x, y] = [on.read(inputs[0]!), on.write(output)];
    on.call('layernorm_f32', [y.at, x.at, on.vector(weight), on.vector(bias), output.columns, y.stride, x.stride, epsilon], on.rows(output));
  },
};

/** What both gradients take: by x first, since it leaves the statistics of the rows that the weights' gradients need. */
function gradients(on: BackwardCaller, { inputs: [x], output }: Node<LayerNorm>, statistics: number) {
  const stats = on.beside(output, 'statistics', statistics * F32_BYTES);
  return { stats, dy: on.gradient(output), kept: on.read(x!), rows: on.rows(output), ...on.target(x!) };
}

const stridesOf = (...places: readonly Place[]): number[] => places.map(({ stride }) => stride);

export const rmsnormGradient: Gradient<RmsNorm> = {
  keeps: ({ inputs }) => inputs,
  backward(on, node) {
    const { attributes: { epsilon, groups }, weights: [weight], output } = node;
    const width = output.columns / groups;
    const { stats, dy, kept, rows, place: dx, accumulate } = gradients(on, node, groups);
    on.call('rmsnorm_f32_grad', [dx.at, stats, dy.at, kept.at, on.vector(weight), width, groups, ...stridesOf(dx, dy, kept), epsilon, accumulate ? 1 : 0], rows);
    const dw = on.learns(weight);
    if (dw === undefined) return;
    on.call('rmsnorm_f32_grad_w', [dw, dy.at, kept.at, stats, rows, width, groups, dy.stride, kept.stride], blocks(width, COLUMN_BLOCK));
  },
};

export const layernormGradient: Gradient<LayerNorm> = {
  keeps: ({ inputs }) => inputs,
  backward(on, node) {
    const { attributes: { epsilon }, weights: [weight, bias], output } = node;
    const width = output.columns;
    const { stats, dy, kept, rows, place: dx, accumulate } = gradients(on, node, 2);
    on.call('layernorm_f32_grad', [dx.at, stats, dy.at, kept.at, on.vector(weight), width, ...stridesOf(dx, dy, kept), epsilon, accumulate ? 1 : 0], rows);
    const dw = on.learns(weight);
    if (dw === undefined) return;
    on.call('layernorm_f32_grad_w', [dw, on.learns(bias) ?? 0, dy.at, kept.at, stats, rows, width, dy.stride, kept.stride], blocks(width, COLUMN_BLOCK));
  },
};

export function rmsnorm(g: GraphBuilder, x: Value, weight: string, epsilon: number, groups = 1): Value {
  g.vector(weight, x.columns / groups);
  return g.node({ op: rmsnormOp, attributes: { epsilon, groups }, inputs: [x], weights: [weight], columns: x.columns, label: weight });
}

export function layernorm(g: GraphBuilder, x: Value, weight: string, bias: string | undefined, epsilon: number): Value {
  const weights = bias === undefined ? [weight] : [weight, bias];
  for (const name of weights) g.vector(name, x.columns);
  return g.node({ op: layernormOp, attributes: { epsilon }, inputs: [x], weights, columns: x.columns, label: weight });
}
