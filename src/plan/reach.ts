import { type Gradient, type Node, root, type Value } from '../graph/node.js';
import type { Gradients } from '../ops/gradients.js';

/** How far gradients go back: to every value that a learning weight has a part in, and no further. */
export class Reach {
  private readonly needed = new Set<number>();

  constructor(
    nodes: readonly Node[],
    private readonly rules: Gradients,
    private readonly learns: (weight: string) => boolean,
  ) {
    for (const { inputs, weights, output } of nodes) {
      if (inputs.some((x) => this.needs(x)) || weights.some(learns)) this.needed.add(output.id);
    }
  }

  /** Whether the gradient of x is wanted. */
  needs(x: Value): boolean {
    return this.needed.has(root(x).id);
  }

  /** @throws Error for an operation that has no place in a training graph. */
  ruleOf({ op }: Node): Gradient {
    const rule = this.rules.get(op as never);
    if (!rule) throw new Error(`${op.name} has no gradient`);
    return rule as Gradient;
  }

  /** Ids of the values whose contents a node's gradient reads again. */
  keptBy(node: Node): number[] {
    if (!this.needs(node.output)) return [];
    return (this.ruleOf(node).keeps?.(node, this.learns) ?? []).map((x) => root(x).id);
  }
}
