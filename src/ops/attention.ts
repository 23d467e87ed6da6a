import type { GraphBuilder } from '../graph/builder.js';
import type { Op, Value } from '../graph/node.js';
import { kernelBytes } from '../kernels/sizes.js';

/** Heads of keys and values, and where they are kept. */
interface Store {
  readonly state: number;
  readonly kvHeads: number;
  readonly headDim: number;
}
/** Query heads share those of keys and values. */
interface Attention extends Store {
  readonly heads: number;
  readonly scale: number;
  /** Rows that a row sees, its own included; 0: all before it. */
  readonly window: number;
}

/** Appends keys and values to the sequence's state. */
export const storeOp: Op<Store> = {
  name: 'store',
  columns: ([k, v], { kvHeads, headDim }) => (k!.columns === kvHeads * headDim && v!.columns === k!.columns ? 0 : NaN),
  mixesRows: true,
  forward(on, { attributes: { state, kvHeads, headDim }, inputs }) {
    const [key, value] = inputs as [Value, Value];
    const [k, v] = [on.read(key), on.read(value)];
    const at = { ...on.state(state), writes: true };
    on.call(`kv_store_${on.kvCache}`, [at, k.at, v.at, on.table('positions', key), on.table('pages', key), kvHeads, headDim, k.stride, v.stride], on.rows(key));
  },
};

/** Query heads are a multiple of those of keys and values. */
export const queries: Op<Omit<Attention, 'state'>>['columns'] = ([q], { heads, kvHeads }) => (heads % kvHeads === 0 ? q!.columns : NaN);
export const attentionFlops: NonNullable<Op<Omit<Attention, 'state'>>['flops']> = ({ attributes: { heads, headDim } }, context) => 4 * heads * headDim * context;

/** Causal grouped-query attention over all that the sequence's state holds (Vaswani et al. 2017; Ainslie et al. 2023). */
export const attentionOp: Op<Attention> = {
  name: 'attention',
  columns: queries,
  scratch: (exports, { attributes: { heads, kvHeads, headDim } }, _, kvCache) =>
    kernelBytes(exports, `attention_scratch_bytes_${kvCache}`, headDim, heads / kvHeads),
  flops: attentionFlops,
  forward(on, { attributes: { state, heads, kvHeads, headDim, scale, window }, inputs, output }) {
    const [q, y] = [on.read(inputs[0]!), on.write(output)];
    const tables = [on.table('positions', output), on.table('pages', output), on.table('tiles', output)];
    const sizes = [on.tiles(output), heads, kvHeads, headDim, scale, window, y.stride, q.stride];
    on.call(`attention_f32_${on.kvCache}`, [y.at, q.at, on.state(state), ...tables, on.scratch, ...sizes], on.tiles(output, kvHeads));
  },
};

/** Attention of the queries over the keys and values of these rows and of those before them, or of `window` of them. */
export function attention(g: GraphBuilder, q: Value, k: Value, v: Value, sizes: { heads: number; kvHeads: number; headDim: number; scale?: number; window?: number | undefined }): Value {
  const { heads, kvHeads, headDim, scale = 1 / Math.sqrt(headDim), window = 0 } = sizes;
  const state = g.state({ kind: 'kv', kvHeads, headDim, window });
  g.node({ op: storeOp, attributes: { state, kvHeads, headDim }, inputs: [k, v], columns: 0, label: 'store' });
  return g.node({ op: attentionOp, attributes: { state, heads, kvHeads, headDim, scale, window }, inputs: [q], columns: heads * headDim, label: 'attention' });
}
