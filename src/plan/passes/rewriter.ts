import type { Node, Rows, Value } from '../../graph/node.js';

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
