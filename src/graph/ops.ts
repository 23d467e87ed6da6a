import { StonechatError } from '../errors.js';
import type { Operation, OperationName, Value } from './graph.js';

/** How the gradient of a result gives those of its inputs and weights (the chain rule, one operation at a time). */
export interface GradientRule {
  /** What reaches the inputs: the same gradient, one that a kernel computes, or none (ids have no gradient). */
  readonly inputs: 'same' | 'computed' | 'none';
  /** Forward values that it reads again: they are kept until then. */
  readonly keeps: readonly ('inputs' | 'output')[];
}

/** One row per operation: how its result's width follows from its inputs, the stem of its kernels, and its gradient. */
export interface OpRow {
  /** First part of the kernel's export name, `<stem>_<activation>_<weight>`; null: no kernel (a view). */
  readonly kernel: string | null;
  /** Result columns that the inputs imply, or undefined where the weight alone decides. */
  readonly columns: (inputs: readonly Value[], operation: Operation) => number | undefined;
  /** A string says why there is none. */
  readonly gradient: GradientRule | string;
}

const same: OpRow['columns'] = (inputs) => (inputs.every((x) => x.columns === inputs[0]!.columns) ? inputs[0]!.columns : NaN);
const free: OpRow['columns'] = () => undefined;
const queries: OpRow['columns'] = ([q], operation) => ('kvHeads' in operation && 'heads' in operation && operation.heads % operation.kvHeads === 0 ? q!.columns : NaN);

const passed: GradientRule = { inputs: 'same', keeps: [] };
/** Computed without a look at forward values: a rotation turned back, a mask drawn again. */
const redone: GradientRule = { inputs: 'computed', keeps: [] };
const fromInputs: GradientRule = { inputs: 'computed', keeps: ['inputs'] };

const OPS: Record<OperationName, OpRow> = {
  embed: { kernel: 'embed', columns: free, gradient: { inputs: 'none', keeps: [] } },
  // The embeddings of a row's ids side by side: the kernels of embed, over rows x width ids.
  window: { kernel: 'embed', columns: free, gradient: { inputs: 'none', keeps: [] } },
  rmsnorm: { kernel: 'rmsnorm', columns: same, gradient: fromInputs },
  layernorm: { kernel: 'layernorm', columns: same, gradient: fromInputs },
  linear: { kernel: 'matmul', columns: free, gradient: fromInputs },
  bias: { kernel: 'add', columns: same, gradient: passed },
  rope: { kernel: 'rope', columns: same, gradient: redone },
  store: {
    kernel: 'kv_store',
    columns: ([k, v], operation) => {
      const wide = operation.op === 'store' ? operation.kvHeads * operation.headDim : NaN;
      return k!.columns === wide && v!.columns === wide ? 0 : NaN;
    },
    gradient: 'training has no KV cache: store and attention become attention_sequence',
  },
  attention: { kernel: 'attention', columns: queries, gradient: 'as store' },
  gate: { kernel: 'mul', columns: same, gradient: fromInputs },
  activation: { kernel: 'activation', columns: same, gradient: fromInputs },
  add: { kernel: 'add', columns: same, gradient: passed },
  head: { kernel: null, columns: same, gradient: 'training wants the logits of every row' },
  attention_sequence: { kernel: 'attention_sequence', columns: queries, gradient: { inputs: 'computed', keeps: ['inputs', 'output'] } },
  dropout: { kernel: 'dropout', columns: same, gradient: redone },
  scale: { kernel: 'scale', columns: same, gradient: redone },
};

/** @throws Error for an operation that has no place in a training graph. */
export function gradientRule({ op }: Operation): GradientRule {
  const rule = OPS[op].gradient;
  if (typeof rule === 'string') throw new Error(`${op} has no gradient: ${rule}`);
  return rule;
}

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
