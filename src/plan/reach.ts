import type { Node, Operation, Value } from '../graph/graph.js';
import { gradientRule } from '../graph/ops.js';
import { root } from './values.js';

const WEIGHTS = ['weight', 'bias', 'table'] as const;

/** Names of the weights that an operation takes. */
const weightsOf = (operation: Operation): string[] =>
  WEIGHTS.flatMap((key) => (key in operation ? [(operation as Partial<Record<typeof key, string | undefined>>)[key]] : [])).filter((name) => name !== undefined);

/** How far gradients go back: to every value that a trained weight has a part in, and no further. */
export class Reach {
  private readonly needed = new Set<number>();

  constructor(
    nodes: readonly Node[],
    private readonly trained: { has(name: string): boolean },
  ) {
    for (const { operation, inputs, output } of nodes) {
      if (inputs.some((x) => this.needs(x)) || weightsOf(operation).some((name) => trained.has(name))) this.needed.add(output.id);
    }
  }

  /** Whether the gradient of x is wanted. */
  needs(x: Value): boolean {
    return this.needed.has(root(x).id);
  }

  /** Ids of the values whose contents a node's gradient reads again. */
  keptBy({ operation, inputs, output }: Node): number[] {
    const { keeps } = gradientRule(operation);
    if (!this.needs(output) || (operation.op === 'linear' && !this.trained.has(operation.weight))) return [];
    const values = [...(keeps.includes('inputs') ? inputs : []), ...(keeps.includes('output') ? [output] : [])];
    return values.map((x) => root(x).id);
  }
}
