import { StonechatError } from '../errors.js';
import type { TensorInfo } from '../files/types.js';
import type { Graph, Input, State, WeightRole, WeightUse } from './graph.js';
import type { Node, Op, Rows, Value } from './node.js';

/** What an operation's own function writes down: see src/ops. */
export interface NodeSpec<A> {
  readonly op: Op<A>;
  readonly attributes: A;
  readonly inputs: readonly Value[];
  readonly weights?: readonly string[];
  readonly columns: number;
  readonly label: string;
  /** Those of the first input by default. */
  readonly rows?: Rows;
}

/** Checks that the inputs of an operation agree with each other and with its result's width. */
function checkColumns<A>({ op, inputs, attributes, columns }: NodeSpec<A>): void {
  const implied = op.columns(inputs, attributes);
  if (implied === undefined || implied === columns) return;
  throw new StonechatError({
    code: 'bad-file',
    expected: `inputs of one width for ${op.name}`,
    found: `columns ${inputs.map((x) => x.columns).join(', ')} giving ${columns}`,
    remedy: 'The metadata contradicts the tensors: convert or download the model again.',
  });
}

/** Writes a graph down in the order of execution, checking every weight's shape against the file. */
export class GraphBuilder {
  private readonly nodes: Node[] = [];
  private readonly uses = new Map<string, WeightUse>();
  private readonly inputs: Record<string, Input> = {};
  private readonly states: State[] = [];
  private scope = '';

  /** `pairScale` multiplies what low-rank pairs add. */
  constructor(
    readonly tensors: ReadonlyMap<string, TensorInfo>,
    readonly pairScale = 1,
  ) {}

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  /** Prefix of the labels that follow. */
  within(scope: string): void {
    this.scope = scope;
  }

  /** Declares an input, and answers its name. */
  input(name: string, input: Input): string {
    this.inputs[name] ??= input;
    return name;
  }

  /** Declares what a sequence keeps, and answers its place in the list. */
  state(state: State): number {
    return this.states.push(state) - 1;
  }

  node<A>(spec: NodeSpec<A>): Value {
    const { op, attributes, inputs, weights = [], columns, label, rows = inputs[0]?.rows ?? 'all' } = spec;
    const output: Value = { id: this.nodes.length, columns, rows, label: this.label(label) };
    checkColumns(spec);
    this.nodes.push({ op: op as Op, attributes, inputs, weights, output });
    return output;
  }

  /** Columns offset … offset + columns of x, without a copy. */
  slice(x: Value, offset: number, columns: number, label: string): Value {
    return { id: -1, columns, rows: x.rows, view: { of: x, offset }, label: this.label(label) };
  }

  /** Declares a matrix, columns x rows. */
  matrix(name: string, columns: number, rows: number): string {
    return this.use(name, 'matrix', [columns, rows]);
  }

  /** Declares a vector: of an operation, or one that only the loader needs (rotary factors). */
  vector(name: string, columns: number): string {
    return this.use(name, 'vector', [columns]);
  }

  finish(outputs: Graph['outputs']): Graph {
    return { nodes: this.nodes, weights: [...this.uses.values()], inputs: this.inputs, outputs, states: this.states };
  }

  private label(name: string): string {
    return this.scope && !name.startsWith(this.scope) ? `${this.scope}.${name}` : name;
  }

  private use(name: string, role: WeightRole, shape: readonly number[]): string {
    const tensor = this.tensors.get(name);
    const found = tensor?.shape.filter((size, i) => i < shape.length || size !== 1);
    if (!tensor || found!.length !== shape.length || found!.some((size, i) => size !== shape[i])) {
      throw new StonechatError({
        code: tensor ? 'bad-file' : 'not-found',
        expected: `a tensor ${name} of shape [${shape.join(', ')}]`,
        found: tensor ? `[${tensor.shape.join(', ')}]` : `none of that name among ${this.tensors.size}`,
        remedy: 'The file is damaged or its metadata belongs to another model; convert or download it again.',
      });
    }
    this.uses.set(name, { name, role });
    return name;
  }
}
