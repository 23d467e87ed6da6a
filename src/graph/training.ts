import type { Graph, Node, Operation, Value } from './graph.js';

/** A graph as training walks it: every row has logits, attention sees whole sequences at once. */
export interface TrainingGraph {
  readonly nodes: readonly Node[];
  readonly logits: Value;
}

/**
 * The training form of an inference graph: `head` vanishes, the `store` and `attention` of a layer become one
 * attention over sequences, and with `dropout` every branch that is added to the residual stream is thinned out, or in
 * a graph with low-rank pairs what goes into them. A graph over a window has no residual stream, and is left whole.
 */
export function trainingGraph(graph: Graph, { dropout }: { dropout: boolean }): TrainingGraph {
  const thins = graph.nodes.some(isPair) ? 'pairs' : graph.window ? 'nothing' : 'branches';
  const writer = new Rewriter(dropout ? thins : 'nothing');
  for (const node of graph.nodes) writer.rewrite(node);
  return { nodes: writer.nodes, logits: writer.value(graph.logits) };
}

const isPair = ({ operation }: Pick<Node, 'operation'>): boolean => operation.op === 'linear' && operation.weight.endsWith('.lora_a');

class Rewriter {
  readonly nodes: Node[] = [];
  private readonly values = new Map<number, Value>();
  private readonly stored = new Map<number, readonly Value[]>();
  private branches = 0;

  constructor(private readonly thins: 'branches' | 'pairs' | 'nothing') {}

  /** What has become of a value of the inference graph. */
  value(old: Value): Value {
    if (!old.view) return this.values.get(old.id)!;
    return { ...old, rows: 'all', view: { of: this.value(old.view.of), offset: old.view.offset } };
  }

  rewrite({ operation, inputs: before, output }: Node): void {
    const inputs = before.map((x) => this.value(x));
    if (operation.op === 'store') this.stored.set(operation.layer, inputs);
    else this.values.set(output.id, this.successor(operation, inputs, output));
  }

  private successor(operation: Operation, inputs: readonly Value[], output: Value): Value {
    if (operation.op === 'head') return inputs[0]!;
    if (this.thins === 'branches' && operation.op === 'add') return this.push(operation, [inputs[0]!, this.branch(inputs[1]!)], output);
    if (this.thins === 'pairs' && isPair({ operation })) return this.push(operation, [this.thinned(inputs[0]!)], output);
    if (operation.op !== 'attention') return this.push(operation, inputs, output);
    const { layer, heads, kvHeads, headDim, scale } = operation;
    return this.push({ op: 'attention_sequence', heads, kvHeads, headDim, scale }, [...inputs, ...this.stored.get(layer)!], output);
  }

  private push(operation: Operation, inputs: readonly Value[], { columns, label }: Pick<Value, 'columns' | 'label'>): Value {
    const output: Value = { id: this.nodes.length, columns, rows: 'all', label };
    this.nodes.push({ operation, inputs, output });
    return output;
  }

  /** What is added to the residual stream; the embeddings of positions are left whole. */
  private branch(added: Value): Value {
    return this.nodes[added.id]?.operation.op === 'embed' ? added : this.thinned(added);
  }

  private thinned(x: Value): Value {
    return this.push({ op: 'dropout', branch: this.branches++ }, [x], x);
  }
}
