import type { GraphBuilder } from '../graph/builder.js';
import type { Gradient, Op, Value } from '../graph/node.js';
import { same } from './columns.js';

export type Activation = 'silu' | 'gelu' | 'gelu_erf' | 'tanh';

interface Activate {
  readonly activation: Activation;
}
interface Glu {
  readonly activation: 'silu' | 'gelu';
}

export const activationOp: Op<Activate> = {
  name: 'activation',
  columns: same,
  overwrites: true,
  forward(on, { attributes: { activation }, inputs, output }) {
    const [x, y] = [on.read(inputs[0]!), on.write(output)];
    on.call(`${activation}_f32`, [y.at, x.at, output.columns, y.stride, x.stride], on.rows(output));
  },
};

export const activationGradient: Gradient<Activate> = {
  keeps: ({ inputs }) => inputs,
  backward(on, { attributes: { activation }, inputs, output }) {
    const [dy, x] = [on.gradient(output), on.read(inputs[0]!)];
    on.intoInputs(inputs, ([dx]) => on.call(`${activation}_f32_grad`, [dx!.at, dy.at, x.at, output.columns, dx!.stride, dy.stride, x.stride], on.rows(output)));
  },
};

/** A gated linear unit: activation(gate) * up (Shazeer 2020, arXiv:2002.05202). */
export const gluOp: Op<Glu> = {
  name: 'glu',
  columns: same,
  overwrites: true,
  forward(on, { attributes: { activation }, inputs, output }) {
    const [gate, up, y] = [on.read(inputs[0]!), on.read(inputs[1]!), on.write(output)];
    on.call(`${activation}_mul_f32`, [y.at, gate.at, up.at, output.columns, y.stride, gate.stride, up.stride], on.rows(output));
  },
};

export const gluGradient: Gradient<Glu> = {
  keeps: ({ inputs }) => inputs,
  backward(on, { attributes: { activation }, inputs, output }) {
    const [dy, gate, up] = [on.gradient(output), on.read(inputs[0]!), on.read(inputs[1]!)];
    on.intoInputs(inputs, ([dgate, dup]) => {
      const strides = [dgate!.stride, dup!.stride, dy.stride, gate.stride, up.stride];
      on.call(`${activation}_mul_f32_grad`, [dgate!.at, dup!.at, dy.at, gate.at, up.at, output.columns, ...strides], on.rows(output));
    });
  },
};

export const activate = (g: GraphBuilder, x: Value, activation: Activation): Value =>
  g.node({ op: activationOp, attributes: { activation }, inputs: [x], columns: x.columns, label: activation });

export const glu = (g: GraphBuilder, gate: Value, up: Value, activation: 'silu' | 'gelu'): Value =>
  g.node({ op: gluOp, attributes: { activation }, inputs: [gate, up], columns: gate.columns, label: 'ffn_gate' });
