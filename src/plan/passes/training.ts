import { type Graph, outputOf } from '../../graph/graph.js';
import type { Node, Value } from '../../graph/node.js';
import { addOp } from '../../ops/add.js';
import { attentionOp, storeOp } from '../../ops/attention.js';
import { attentionSequenceOp } from '../../ops/attention-sequence.js';
import { dropoutOp } from '../../ops/dropout.js';
import { embed } from '../../ops/embed.js';
import { linearOp } from '../../ops/linear.js';
import { crossEntropyOp } from '../../ops/cross-entropy.js';
import { Rewriter } from './rewriter.js';

/**
 * The training form of an inference graph: the store and the attention of a layer become one attention over sequences,
 * and with `dropout` every branch that is added to the residual stream is thinned out, or in a graph with low-rank pairs
 * what goes into them. Its output is the loss of every row; the planner then computes what leads to losses alone only for rows that have one. A graph over contexts of ids has no residual stream, and is left whole.
 */
export function trainingGraph(graph: Graph, { dropout, weighted }: { dropout: boolean; weighted: boolean }): Graph {
  const contexts = Object.values(graph.inputs).some(({ kind }) => kind === 'contextIds');
  const thins = graph.nodes.some(isPair) ? 'pairs' : contexts ? 'nothing' : 'branches';
  const writer = new TrainingForm(dropout ? thins : 'nothing');
  for (const node of graph.nodes) writer.rewrite(node);
  const logits = writer.value(outputOf(graph, 'logits'));
  const attributes = { targets: 'targets', factors: weighted ? 'factors' : undefined };
  const loss = writer.push({ op: crossEntropyOp, attributes, inputs: [logits], weights: [] }, { columns: 1, label: 'loss' }, logits.rows);
  return { nodes: writer.nodes, weights: graph.weights, inputs: { ...graph.inputs, ...TABLES }, outputs: { loss }, states: [] };
}

/** What training tells: where sequences begin; of every output row the id that follows, and the factor of its loss. */
const TABLES: Graph['inputs'] = { spans: { kind: 'spans' }, targets: { kind: 'numbers' }, factors: { kind: 'numbers' } };

const isPair = ({ op, weights }: Pick<Node, 'op' | 'weights'>): boolean => op === linearOp && weights[0]!.endsWith('.lora_a');
const attributesOf = <A>(node: Node, _of: { readonly op: { forward(on: never, node: Node<A>): void } }): A => node.attributes as A;

class TrainingForm extends Rewriter {
  private readonly stored = new Map<number, readonly Value[]>();
  private branches = 0;

  constructor(private readonly thins: 'branches' | 'pairs' | 'nothing') {
    super();
  }

  rewrite(node: Node): void {
    const inputs = node.inputs.map((x) => this.value(x));
    if (node.op === storeOp) this.stored.set(attributesOf(node, { op: storeOp }).state, inputs);
    else this.become(node.output, this.successor(node, inputs));
  }

  private successor(node: Node, inputs: readonly Value[]): Value {
    const { op, output } = node;
    if (this.thins === 'branches' && op === addOp) return this.push({ ...node, inputs: [inputs[0]!, this.branch(inputs[1]!)] }, output, 'all');
    if (this.thins === 'pairs' && isPair(node)) return this.push({ ...node, inputs: [this.thinned(inputs[0]!)] }, output, 'all');
    if (op !== attentionOp) return this.push({ ...node, inputs }, output, 'all');
    const { state, window: _, ...attributes } = attributesOf(node, { op: attentionOp });
    return this.push({ op: attentionSequenceOp, attributes, inputs: [...inputs, ...this.stored.get(state)!], weights: [] }, output, 'all');
  }

  /** What is added to the residual stream; the embeddings of positions are left whole. */
  private branch(added: Value): Value {
    return this.nodes[added.id]?.op === embed ? added : this.thinned(added);
  }

  private thinned(x: Value): Value {
    return this.push({ op: dropoutOp, attributes: { branch: this.branches++ }, inputs: [x], weights: [] }, x, 'all');
  }
}
