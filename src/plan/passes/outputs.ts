import type { Graph } from '../../graph/graph.js';
import { type Node, root, type Value } from '../../graph/node.js';
import { outputRowsOp } from '../../ops/output-rows.js';
import { Rewriter } from './rewriter.js';

/**
 * Computes only the rows that an output is wanted of, wherever no state and no other row depends on the rest. What serves the
 * outputs alone comes last, so that a run without them ends before it. Models need not know.
 */
export function onlyOutputRows(graph: Graph): Graph {
  const whole = valuesOfAllRows(graph.nodes);
  const rewriter = new Rewriter();
  const later: Node[] = [];
  for (const node of graph.nodes) {
    if (whole.has(node.output)) keep(rewriter, node, node.inputs.map((x) => rewriter.value(x)), 'all');
    else later.push(node);
  }
  const selected = new Map<Value, Value>();
  const select = (old: Value): Value => {
    const x = rewriter.value(old);
    if (x.rows === 'output') return x;
    const known = selected.get(x) ?? rewriter.push({ op: outputRowsOp, attributes: {}, inputs: [x], weights: [] }, { columns: x.columns, label: 'output_rows' }, 'output');
    selected.set(x, known);
    return known;
  };
  for (const node of later) keep(rewriter, node, node.inputs.map(select), 'output');
  const outputs = Object.fromEntries(Object.entries(graph.outputs).map(([name, value]) => [name, select(value)]));
  return { ...graph, nodes: rewriter.nodes, outputs };
}

const keep = (rewriter: Rewriter, node: Node, inputs: readonly Value[], rows: 'all' | 'output'): Value =>
  rewriter.become(node.output, rewriter.push({ ...node, inputs }, node.output, rows));

/** Values that a state or other rows depend on, and all that they are computed from; and those that come from inputs. */
function valuesOfAllRows(nodes: readonly Node[]): Set<Value> {
  const whole = new Set<Value>();
  for (const { op, inputs, output } of nodes.toReversed()) {
    if (op.mixesRows || inputs.length === 0) whole.add(output);
    if (whole.has(output)) for (const x of inputs) whole.add(root(x));
  }
  return whole;
}
