import { StonechatError } from '../errors.js';
import type { Operation, OperationName, Value } from './graph.js';

/** One row per operation: how its result's width follows from its inputs, and the stem of its kernels. */
export interface OpRow {
  /** First part of the kernel's export name, `<stem>_<activation>_<weight>`; null: no kernel (a view). */
  readonly kernel: string | null;
  /** Result columns that the inputs imply, or undefined where the weight alone decides. */
  readonly columns: (inputs: readonly Value[], operation: Operation) => number | undefined;
}

const same: OpRow['columns'] = (inputs) => (inputs.every((x) => x.columns === inputs[0]!.columns) ? inputs[0]!.columns : NaN);
const free: OpRow['columns'] = () => undefined;

const OPS: Record<OperationName, OpRow> = {
  embed: { kernel: 'embed', columns: free },
  rmsnorm: { kernel: 'rmsnorm', columns: same },
  layernorm: { kernel: 'layernorm', columns: same },
  linear: { kernel: 'matmul', columns: free },
  bias: { kernel: 'add', columns: same },
  rope: { kernel: 'rope', columns: same },
  store: {
    kernel: 'kv_store',
    columns: ([k, v], operation) => {
      const wide = operation.op === 'store' ? operation.kvHeads * operation.headDim : NaN;
      return k!.columns === wide && v!.columns === wide ? 0 : NaN;
    },
  },
  attention: {
    kernel: 'attention',
    columns: ([q], operation) => (operation.op === 'attention' && operation.heads % operation.kvHeads === 0 ? q!.columns : NaN),
  },
  gate: { kernel: 'mul', columns: same },
  activation: { kernel: 'activation', columns: same },
  add: { kernel: 'add', columns: same },
  head: { kernel: null, columns: same },
};

/** Checks that the inputs of an operation agree with each other and with its result's width. */
export function checkColumns(operation: Operation, inputs: readonly Value[], columns: number): void {
  const implied = OPS[operation.op].columns(inputs, operation);
  if (implied === undefined || implied === columns) return;
  throw new StonechatError({
    code: 'bad-file',
    expected: `inputs of one width for ${operation.op}`,
    found: `columns ${inputs.map((x) => x.columns).join(', ')} giving ${columns}`,
    remedy: 'The metadata contradicts the tensors: convert or download the model again.',
  });
}
