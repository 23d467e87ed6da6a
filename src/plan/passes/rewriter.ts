import type { Graph } from '../../graph/graph.js';
import { type Node, root, type Rows, type Value } from '../../graph/node.js';

/** Writes a graph down anew: what a value of the old one has become. */
export class Rewriter {
  readonly nodes: Node[] = [];
  private readonly values = new Map<Value, Value>();

  value(old: Value): Value {
    const known = this.values.get(old);
    if (known || !old.view) return known!;
    const of = this.value(old.view.of);
    return this.become(old, { ...old, rows: of.rows, view: { of, offset: old.view.offset } });
  }

  /** From now on, `old` is `value`. */
  become(old: Value, value: Value): Value {
    this.values.set(old, value);
    return value;
  }

  push<A>(node: Omit<Node<A>, 'output'>, { columns, label }: Pick<Value, 'columns' | 'label'>, rows: Rows): Value {
    const output: Value = { id: this.nodes.length, columns, rows, label };
    this.nodes.push({ ...node, output } as Node);
    return output;
  }
}

/** The part of a graph that some of its outputs need. */
export function leadingTo(graph: Graph, names: readonly string[]): Graph {
  const needed = new Set(names.map((name) => graph.outputs[name]!));
  for (const { inputs, output } of graph.nodes.toReversed()) if (needed.has(output)) for (const x of inputs) needed.add(root(x));
  const rewriter = new Rewriter();
  for (const node of graph.nodes) {
    if (!needed.has(node.output)) continue;
    const inputs = node.inputs.map((x) => rewriter.value(x));
    rewriter.become(node.output, rewriter.push({ ...node, inputs }, node.output, node.output.rows));
  }
  return { ...graph, nodes: rewriter.nodes, outputs: Object.fromEntries(names.map((name) => [name, rewriter.value(graph.outputs[name]!)])) };
}
