import type { GraphBuilder } from '../graph/builder.js';
import type { Gradient, Op, Value } from '../graph/node.js';
import { free } from './columns.js';

interface Attributes {
  readonly input: string;
}

/** Rows that the run brings along: embeddings, pixels. */
export const inputOp: Op<Attributes> = {
  name: 'input',
  columns: free,
  input: ({ input }) => input,
  forward: () => {},
};

/** What comes from outside has none. */
export const inputGradient: Gradient<Attributes> = {};

export function inputRows(g: GraphBuilder, input: string, columns: number): Value {
  g.input(input, { kind: 'rows', columns });
  return g.node({ op: inputOp, attributes: { input }, inputs: [], columns, label: input });
}
