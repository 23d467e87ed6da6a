import type { Gradient, Op } from '../graph/node.js';
import { same } from './columns.js';

type OutputRows = Readonly<Record<never, never>>;

/** Copies of the rows that the run wants an output of: what follows is computed for them alone. */
export const outputRowsOp: Op<OutputRows> = {
  name: 'output_rows',
  columns: same,
  mixesRows: true,
  forward(on, { inputs, output }) {
    const [x, y] = [on.read(inputs[0]!), on.write(output)];
    on.call('gather_rows_f32', [y.at, x.at, on.table('rows', output), output.columns, y.stride, x.stride], on.rows(output));
  },
};

export const outputRowsGradient: Gradient<OutputRows> = {
  backward(on, { inputs: [x], output }) {
    const dy = on.gradient(output);
    const dx = on.sum(x!);
    on.call('scatter_rows_f32', [dx.at, dy.at, on.table('rows', output), output.columns, dx.stride, dy.stride], on.rows(output));
  },
};
