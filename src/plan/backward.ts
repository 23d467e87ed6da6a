import type { Graph } from '../graph/graph.js';
import { type BackwardCaller, type Node, type Place, root, type Value } from '../graph/node.js';
import type { Buffer, Program, Spot } from '../kernels/program.js';
import { GRADIENT_OF } from './addresses.js';
import { Forward, type ForwardOptions, placeIn } from './forward.js';
import { Gradients } from './gradients.js';
import type { Reach } from './reach.js';

/** Writes down the forward pass, and backward passes after it: the nodes from last to first, each turning the gradient of its result into those of its inputs and weights. */
export class Backward extends Forward implements BackwardCaller {
  private gradients = this.fresh();

  constructor(
    graph: Graph,
    program: Program,
    options: ForwardOptions,
    private readonly reach: Reach,
    private readonly learning: (weight: string) => boolean,
  ) {
    super(graph, program, options);
  }

  /** From these losses back. */
  emitBackward(losses: readonly Value[]): void {
    this.gradients = this.fresh();
    for (const node of this.graph.nodes.toReversed()) {
      const isLoss = losses.includes(node.output);
      if (!isLoss && !this.gradients.has(node.output)) continue;
      if (this.reach.needs(node.output)) this.emitGradient(node, isLoss);
      if (!isLoss) this.gradients.release(node.output);
    }
  }

  private emitGradient(node: Node, isLoss: boolean): void {
    const { backward, passes } = this.reach.ruleOf(node);
    backward?.(this, node);
    if (!passes || isLoss) return;
    for (const x of node.inputs) if (this.needs(x)) this.gradients.pass(node.output, x);
  }

  // What gradients ask for

  gradient(x: Value): Place {
    return this.gradients.place(x);
  }

  target(x: Value): { place: Place; accumulate: boolean } {
    return this.gradients.target(x);
  }

  rewrite(x: Value, keep: boolean): { from: Place; to: Place } {
    return this.gradients.rewrite(x, keep);
  }

  sum(x: Value): Place {
    return this.gradients.target(x, true).place;
  }

  begin(x: Value): Place {
    this.gradients.start(x, this.bufferOf(x));
    return this.gradients.place(x);
  }

  learns(weight: string | undefined): Spot | undefined {
    if (weight === undefined || !this.learning(weight)) return undefined;
    return { ...this.spot(GRADIENT_OF(weight)), writes: true };
  }

  needs(x: Value): boolean {
    return this.reach.needs(x);
  }

  intoInputs(inputs: readonly Value[], write: (places: readonly Place[]) => void): void {
    const places = inputs.map((x) => {
      const { place, accumulate } = this.gradients.target(x);
      const alone = { ...x, view: undefined };
      return { x, place, apart: accumulate ? placeIn(this.take(alone), alone) : undefined };
    });
    write(places.map(({ place, apart }) => apart ?? place));
    for (const { place, apart, x } of places) if (apart) this.addRows(place, apart, x);
  }

  /** to += from */
  private addRows(to: Place, from: Place, x: Value): void {
    this.call('add_f32', [{ ...to.at, writes: true }, to.at, from.at, x.columns, to.stride, to.stride, from.stride], this.rows(x));
  }

  private copy(x: Value, from: Buffer): Buffer {
    const copy = this.take(x, true);
    this.addRows(placeIn(copy, x), placeIn(from, x), x);
    return copy;
  }

  private fresh(): Gradients {
    return new Gradients({
      take: (value, zeroed) => this.take(root(value), zeroed),
      copy: (value, from) => this.copy(value, from),
      addRows: (to, from, x) => this.addRows(to, from, x),
    });
  }
}
