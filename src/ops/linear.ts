import { LAYOUTS } from '../files/dtypes.js';
import { pairNames } from '../files/pair-names.js';
import type { GraphBuilder } from '../graph/builder.js';
import type { AllExports, Caller, Gradient, Op, Value } from '../graph/node.js';
import type { KernelName } from '../kernels/instance.js';
import { groupsOf } from '../kernels/layout.js';
import type { Spot } from '../kernels/program.js';
import { kernelBytes } from '../kernels/sizes.js';
import { add } from './add.js';
import { bias } from './bias.js';
import { free } from './columns.js';
import { scale } from './scale.js';

type Linear = Readonly<Record<never, never>>;

/** x times a transposed weight. */
export const linearOp: Op<Linear> = {
  name: 'linear',
  columns: free,
  scratch: (exports, { inputs: [x] }) => kernelBytes(exports, 'matmul_scratch_bytes', x!.columns),
  flops: ({ inputs: [x], output }) => 2 * x!.columns * output.columns,
  forward(on, node) {
    const { inputs, weights: [name], output } = node;
    const { at, type, rows: n, columns: k } = on.weight(name!);
    const rows = on.rows(output);
    const y = on.write(output);
    if (!LAYOUTS[type].quantised || on.activations === 'f32') {
      const x = on.read(inputs[0]!);
      return on.call(kernelFor(on, `matmul_f32_${type}`, type), [y.at, x.at, at, on.scratch, rows, k, y.stride, x.stride], groupsOf(n));
    }
    on.call(`matmul_q8_${type}` as KernelName, [y.at, quantised(on, inputs[0]!), at, on.scratch, rows, k, y.stride], groupsOf(n));
  },
};

export const linearGradient: Gradient<Linear> = {
  keeps: ({ inputs, weights: [weight] }, learns) => (learns(weight!) ? inputs : []),
  scratch: (exports, { inputs: [x] }) => kernelBytes(exports, 'matmul_grad_scratch_bytes', x!.columns),
  backward(on, { inputs, weights: [name], output }) {
    const x = inputs[0]!;
    const { at, type, rows: n, columns: k } = on.weight(name!);
    const dy = on.gradient(output);
    const m = on.rows(output);
    const gradient = on.learns(name);
    if (gradient !== undefined) {
      const kept = on.read(x);
      on.call(kernelFor(on, 'matmul_f32_grad_w', 'f32'), [gradient, dy.at, kept.at, on.scratch, m, k, dy.stride, kept.stride], groupsOf(n));
    }
    if (!on.needs(x)) return;
    const { place: dx, accumulate } = on.target(x);
    const operands = [dx.at, dy.at, at, on.scratch, m, n, k, dx.stride, dy.stride, accumulate ? 1 : 0];
    on.call(kernelFor(on, `matmul_f32_${type}_grad_x`, type), operands, (on.exports as AllExports).matmul_grad_x_items(k));
  },
};

/** Products of f32 weights have a fused form. */
const kernelFor = ({ fused }: Caller, kernel: string, type: string): KernelName => (fused && type === 'f32' ? `${kernel}_fused` : kernel) as KernelName;

/** The int8 copy of a value, made once for all the matrices it is multiplied with. */
function quantised(on: Caller, x: Value): Spot {
  return on.beside(x, 'q8', on.exports.q8_row_bytes(x.columns) >>> 0, (at) => {
    const from = on.read(x);
    on.call('quantize_q8', [at, from.at, x.columns, from.stride, on.rows(x), formsFor(on, x)], on.rows(x));
  });
}

/** What quantize_q8 wants to know: 1 if a matrix that splits activations multiplies this value. */
function formsFor(on: Caller, x: Value): number {
  return on.readers(x).some(({ op, weights: [weight] }) => op === linearOp && LAYOUTS[on.weight(weight!).type].splitActivations) ? 1 : 0;
}

function multiply(g: GraphBuilder, x: Value, weight: string, columns: number): Value {
  g.matrix(weight, x.columns, columns);
  return g.node({ op: linearOp, attributes: {}, inputs: [x], weights: [weight], columns, label: weight });
}

/** x times a transposed weight, and what its low-rank pair adds, where the model has one. */
export function product(g: GraphBuilder, x: Value, weight: string, columns: number): Value {
  const y = multiply(g, x, weight, columns);
  return g.has(pairNames(weight).a) ? addPair(g, x, y, weight) : y;
}

/** y + scale b (a x): low-rank adaptation (Hu et al. 2021, arXiv:2106.09685). */
function addPair(g: GraphBuilder, x: Value, y: Value, weight: string): Value {
  const { a, b } = pairNames(weight);
  const down = multiply(g, x, a, g.tensors.get(a)!.shape[1] ?? 1);
  const scaled = g.pairScale === 1 ? down : scale(g, down, g.pairScale, a);
  return add(g, y, multiply(g, scaled, b, y.columns), weight);
}

/** x times the transposed weight `<name>.weight`, plus `<name>.bias` where the file has one. */
export function linear(g: GraphBuilder, x: Value, name: string, columns: number): Value {
  const y = product(g, x, `${name}.weight`, columns);
  return g.has(`${name}.bias`) ? bias(g, y, `${name}.bias`, name) : y;
}
