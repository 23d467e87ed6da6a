import type { Caller, Gradient, Op, Place, Value } from '../graph/node.js';
import { dynamic, SLOT } from '../kernels/steps.js';
import { same } from './columns.js';

interface Dropout {
  /** Every branch draws its own mask. */
  readonly branch: number;
}

const BRANCH_SEED = 0x9e3779b9;

function emit(on: Caller, y: Place, x: Place, { branch }: Dropout, of: Value): void {
  const seed = dynamic(SLOT.seed, 1, Math.imul(branch + 1, BRANCH_SEED) >>> 0);
  on.call('dropout_f32', [y.at, x.at, of.columns, y.stride, x.stride, seed, dynamic(SLOT.dropout, on.sizes.dropout)], on.rows(of));
}

/** Zeroes a share of the elements and scales up the others (Srivastava et al. 2014): training only. */
export const dropoutOp: Op<Dropout> = {
  name: 'dropout',
  columns: same,
  overwrites: true,
  forward(on, { attributes, inputs, output }) {
    const [x, y] = [on.read(inputs[0]!), on.write(output)];
    emit(on, y, x, attributes, output);
  },
};

/** The same mask, drawn again. */
export const dropoutGradient: Gradient<Dropout> = {
  passes: true,
  backward(on, { attributes, output }) {
    const { from, to } = on.rewrite(output, false);
    emit(on, to, from, attributes, output);
  },
};
