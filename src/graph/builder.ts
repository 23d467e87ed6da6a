import { StonechatError } from '../errors.js';
import { pairNames } from '../files/pair-names.js';
import type { TensorInfo } from '../files/types.js';
import type { Activation, Graph, Node, Operation, RopeStyle, Rows, Value, WeightRole, WeightUse } from './graph.js';
import { checkColumns } from './ops.js';

/** Writes a graph down in the order of execution, checking every weight's shape against the file. */
export class GraphBuilder {
  private readonly nodes: Node[] = [];
  private readonly uses = new Map<string, WeightUse>();
  private scope = '';

  /** `pairScale` multiplies what low-rank pairs add. */
  constructor(
    private readonly tensors: ReadonlyMap<string, TensorInfo>,
    private readonly pairScale = 1,
  ) {}

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  /** Prefix of the labels that follow. */
  within(scope: string): void {
    this.scope = scope;
  }

  embed(ids: 'tokens' | 'positions', table: string, columns: number, rows: number): Value {
    this.matrix(table, columns, rows);
    return this.push({ op: 'embed', ids, table }, [], columns, table, 'all');
  }

  /** Embeddings of the last `width` tokens side by side, oldest first. */
  window(table: string, columns: number, rows: number, width: number): Value {
    this.matrix(table, columns, rows);
    return this.push({ op: 'window', table, width }, [], columns * width, 'window', 'all');
  }

  rmsnorm(x: Value, weight: string, epsilon: number, groups = 1): Value {
    this.vector(weight, x.columns / groups);
    return this.push({ op: 'rmsnorm', weight, epsilon, groups }, [x], x.columns, weight);
  }

  layernorm(x: Value, weight: string, bias: string | undefined, epsilon: number): Value {
    this.vector(weight, x.columns);
    if (bias) this.vector(bias, x.columns);
    return this.push({ op: 'layernorm', weight, bias, epsilon }, [x], x.columns, weight);
  }

  /** x times the transposed weight, plus `<name>.bias` where the file has one. */
  linear(x: Value, name: string, columns: number): Value {
    const y = this.multiply(x, `${name}.weight`, columns, false);
    if (!this.has(`${name}.bias`)) return y;
    this.vector(`${name}.bias`, columns);
    return this.push({ op: 'bias', weight: `${name}.bias` }, [y], columns, name);
  }

  /** The output layer: its result is the logits. */
  logits(x: Value, weight: string, vocabulary: number, bias?: string): Value {
    const y = this.multiply(x, weight, vocabulary, true);
    if (bias === undefined) return y;
    this.vector(bias, vocabulary);
    return this.push({ op: 'bias', weight: bias }, [y], vocabulary, bias);
  }

  rope(x: Value, heads: number, headDim: number, dims: number, style: RopeStyle): Value {
    return this.push({ op: 'rope', heads, headDim, dims, style }, [x], x.columns, 'rope');
  }

  /** Appends keys and values of a layer to the KV cache. */
  store(k: Value, v: Value, { layer, kvHeads, headDim }: { layer: number; kvHeads: number; headDim: number }): void {
    this.push({ op: 'store', layer, kvHeads, headDim }, [k, v], 0, 'store');
  }

  /** Causal attention of the queries over everything stored for the layer. */
  attention(q: Value, { layer, heads, kvHeads, headDim }: { layer: number; heads: number; kvHeads: number; headDim: number }): Value {
    const scale = 1 / Math.sqrt(headDim);
    return this.push({ op: 'attention', layer, heads, kvHeads, headDim, scale }, [q], heads * headDim, 'attention');
  }

  gate(gate: Value, up: Value, activation: 'silu' | 'gelu'): Value {
    return this.push({ op: 'gate', activation }, [gate, up], gate.columns, 'ffn_gate');
  }

  activation(x: Value, activation: Activation): Value {
    return this.push({ op: 'activation', activation }, [x], x.columns, activation);
  }

  add(a: Value, b: Value, label: string): Value {
    return this.push({ op: 'add' }, [a, b], a.columns, label);
  }

  /** Declares a vector that no operation takes, but that the loader needs (rotary factors). */
  declareVector(name: string, columns: number): void {
    this.vector(name, columns);
  }

  /** Only the rows whose logits are wanted: what follows is computed for them alone. */
  head(x: Value): Value {
    return x.rows === 'head' ? x : this.push({ op: 'head' }, [x], x.columns, 'head', 'head');
  }

  /** Columns offset … offset + columns of x, without a copy. */
  slice(x: Value, offset: number, columns: number, label: string): Value {
    return { id: -1, columns, rows: x.rows, view: { of: x, offset }, label: this.label(label) };
  }

  finish(logits: Value, shape: Omit<Graph, 'nodes' | 'weights' | 'logits'>): Graph {
    return { nodes: this.nodes, weights: [...this.uses.values()], logits, ...shape };
  }

  private multiply(x: Value, weight: string, columns: number, logits: boolean): Value {
    const y = this.matmul(x, weight, columns, logits);
    return this.has(pairNames(weight).a) ? this.addPair(x, y, weight) : y;
  }

  private matmul(x: Value, weight: string, columns: number, logits: boolean): Value {
    this.matrix(weight, x.columns, columns);
    return this.push({ op: 'linear', weight, logits }, [x], columns, weight);
  }

  /** y + scale b (a x): low-rank adaptation (Hu et al. 2021, arXiv:2106.09685). */
  private addPair(x: Value, y: Value, weight: string): Value {
    const { a, b } = pairNames(weight);
    const down = this.matmul(x, a, this.tensors.get(a)!.shape[1] ?? 1, false);
    const scaled = this.pairScale === 1 ? down : this.push({ op: 'scale', factor: this.pairScale }, [down], down.columns, a);
    return this.push({ op: 'add' }, [y, this.matmul(scaled, b, y.columns, false)], y.columns, weight);
  }

  private label(name: string): string {
    return this.scope && !name.startsWith(this.scope) ? `${this.scope}.${name}` : name;
  }

  private push(operation: Operation, inputs: Value[], columns: number, label: string, rows: Rows = inputs[0]!.rows): Value {
    const output: Value = { id: this.nodes.length, columns, rows, label: this.label(label) };
    checkColumns(operation, inputs, columns);
    this.nodes.push({ operation, inputs, output });
    return output;
  }

  private matrix(name: string, columns: number, rows: number): void {
    this.use(name, 'matrix', [columns, rows]);
  }

  private vector(name: string, columns: number): void {
    this.use(name, 'vector', [columns]);
  }

  private use(name: string, role: WeightRole, shape: readonly number[]): void {
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
  }
}
