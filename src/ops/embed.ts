import type { GraphBuilder } from '../graph/builder.js';
import type { Gradient, Op, Value } from '../graph/node.js';
import { groupsOf } from '../kernels/layout.js';
import { free } from './columns.js';

interface Embed {
  /** The input that names rows of the table: ids, positions. */
  readonly input: string;
  /** Ids of one row, whose embeddings lie side by side. */
  readonly width: number;
}

/** Rows of a table, looked up. */
export const embed: Op<Embed> = {
  name: 'embed',
  columns: free,
  forward(on, { attributes: { input, width }, weights: [table], output }) {
    const y = on.write(output);
    const { at, type, columns } = on.weight(table!);
    on.call(`embed_f32_${type}`, [y.at, on.input(input), at, columns, width === 1 ? y.stride : columns], on.rows(output, width));
  },
};

export const embedGradient: Gradient<Embed> = {
  backward(on, { attributes: { input, width }, weights: [table], output }) {
    const gradient = on.learns(table);
    if (gradient === undefined) return;
    const { rows, columns } = on.weight(table!);
    const dy = on.gradient(output);
    // The gradients of a row lie side by side, one for each of its ids.
    on.call('embed_f32_grad', [gradient, dy.at, on.input(input), on.rows(output, width), columns, width === 1 ? dy.stride : columns], groupsOf(rows));
  },
};

/** Embeddings of tokens or positions: `input` is one of ids, one a row. */
export function lookUp(g: GraphBuilder, input: string, table: string, columns: number, rows: number): Value {
  g.matrix(table, columns, rows);
  return g.node({ op: embed, attributes: { input, width: 1 }, inputs: [], weights: [table], columns, label: table });
}

/** Embeddings of the `width` ids that a row looks back at side by side, oldest first. */
export function lookUpContext(g: GraphBuilder, input: string, table: string, columns: number, rows: number, width: number): Value {
  g.matrix(table, columns, rows);
  return g.node({ op: embed, attributes: { input, width }, inputs: [], weights: [table], columns: columns * width, label: 'context' });
}
