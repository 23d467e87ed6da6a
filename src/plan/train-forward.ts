import type { Node, Operation, Value } from '../graph/graph.js';
import type { TrainingGraph } from '../graph/training.js';
import type { KernelName } from '../kernels/instance.js';
import { type Argument, constant, dynamic, SLOT } from '../kernels/steps.js';
import type { PlacedWeight } from './plan.js';
import type { Buffer, Operand, Program } from './program.js';
import type { Reach } from './reach.js';
import { Buffers, F32_BYTES, type Place, placeIn, root } from './values.js';

/** Sizes and addresses that all steps of a training plan share. */
export interface TrainSizes {
  /** Sequences of a micro-batch, tokens of each, and their product. */
  readonly sequences: number;
  readonly length: number;
  readonly rows: number;
  /** Share of elements that dropout zeroes. */
  readonly dropout: number;
}

export interface TrainAddresses {
  readonly ids: number;
  readonly positions: number;
  readonly windows: number;
  readonly starts: number;
  readonly targets: number;
  readonly losses: number;
  readonly angles: number;
  readonly scratch: Argument;
}

export interface TrainSetting {
  readonly graph: TrainingGraph;
  readonly program: Program;
  readonly sizes: TrainSizes;
  readonly addresses: TrainAddresses;
  readonly weights: ReadonlyMap<string, PlacedWeight>;
  readonly fused: boolean;
  readonly reach: Reach;
}

/** Every branch draws its own mask. */
const BRANCH_SEED = 0x9e3779b9;

type Sequence = Extract<Operation, { op: 'attention_sequence' }>;
type Rope = Extract<Operation, { op: 'rope' }>;

/** Operands that a forward kernel and its gradient share. */
export class Operands {
  constructor(readonly setting: TrainSetting) {}

  weight(name: string): PlacedWeight {
    return this.setting.weights.get(name)!;
  }

  /** Products with f32 weights have a fused form. */
  product(kernel: string, type: string): KernelName {
    return (this.setting.fused && type === 'f32' ? `${kernel}_fused` : kernel) as KernelName;
  }

  vector(name: string | undefined): number {
    return name === undefined ? 0 : this.weight(name).address;
  }

  ids(which: 'tokens' | 'positions'): number {
    return this.setting.addresses[which === 'tokens' ? 'ids' : 'positions'];
  }

  rope(x: Place, { heads, headDim, dims, style }: Rope, inverse: boolean): Operand[] {
    const { angles, positions } = this.setting.addresses;
    return [x.at, angles, positions, heads, headDim, dims, style === 'neox' ? 1 : 0, inverse ? 1 : 0, x.stride];
  }

  /** From `starts` to the scale, and the number of items. */
  attention({ heads, kvHeads, headDim, scale }: Sequence): { sizes: Operand[]; items: number } {
    const { sizes, addresses } = this.setting;
    return { sizes: [addresses.starts, addresses.scratch, sizes.length, heads, kvHeads, headDim, scale], items: sizes.sequences * kvHeads };
  }

  dropout(y: Place, x: Place, { branch }: Extract<Operation, { op: 'dropout' }>, columns: number): Operand[] {
    const seed = dynamic(SLOT.seed, 1, Math.imul(branch + 1, BRANCH_SEED) >>> 0);
    return [y.at, x.at, columns, y.stride, x.stride, seed, dynamic(SLOT.dropout, this.setting.sizes.dropout)];
  }
}

/** Writes down the forward pass; what backward reads again keeps its buffer. */
export class TrainForward extends Operands {
  readonly buffers: Buffers;
  private readonly storage = new Map<number, Buffer>();
  private readonly sums = new Map<number, Buffer>();
  private readonly lastUse = new Map<number, number>();
  private readonly kept: Set<number>;

  constructor(setting: TrainSetting) {
    super(setting);
    this.buffers = new Buffers(setting.program, setting.sizes.rows);
    const { nodes } = setting.graph;
    nodes.forEach((node, index) => node.inputs.forEach((x) => this.lastUse.set(root(x).id, index)));
    this.kept = new Set(nodes.flatMap((node) => setting.reach.keptBy(node)));
  }

  emitAll(): void {
    this.setting.graph.nodes.forEach((node, index) => {
      const free = node.inputs.find((x) => this.mayOverwrite(x, node, index));
      this.storage.set(node.output.id, free ? this.bufferOf(free) : this.buffers.take(node.output));
      this.emit(node, free);
    });
  }

  place(x: Value): Place {
    return placeIn(this.bufferOf(x), x);
  }

  bufferOf(x: Value): Buffer {
    return this.storage.get(root(x).id)!;
  }

  /** Log-sums of an attention's exponentials, one per row and head. */
  logSums({ output }: Node, heads: number): Buffer {
    const buffer = this.sums.get(output.id) ?? this.setting.program.buffer(this.setting.sizes.rows * heads * F32_BYTES);
    this.sums.set(output.id, buffer);
    return buffer;
  }

  /** Element-wise operations write over an input that neither this pass nor backward looks at again. */
  private mayOverwrite(x: Value, { operation, output }: Node, index: number): boolean {
    if (!['add', 'gate', 'activation', 'rope', 'bias', 'dropout', 'scale'].includes(operation.op)) return false;
    return !x.view && x.columns === output.columns && !this.kept.has(x.id) && this.lastUse.get(x.id) === index;
  }

  private call(kernel: KernelName, operands: readonly Operand[], items = this.setting.sizes.rows): void {
    this.setting.program.call(kernel, operands, items);
  }

  private emit(node: Node, overwritten: Value | undefined): void {
    const { operation, inputs, output } = node;
    const y = this.place(output);
    const [a, b, c] = inputs.map((x) => this.place(x));
    switch (operation.op) {
      case 'embed': {
        const { address, type, columns } = this.weight(operation.table);
        return this.call(`embed_f32_${type}`, [y.at, this.ids(operation.ids), address, columns, y.stride]);
      }
      case 'window': {
        const { address, type, columns } = this.weight(operation.table);
        return this.call(`embed_f32_${type}`, [y.at, this.setting.addresses.windows, address, columns, columns], this.setting.sizes.rows * operation.width);
      }
      case 'rmsnorm': {
        const width = output.columns / operation.groups;
        return this.call('rmsnorm_f32', [y.at, a!.at, this.vector(operation.weight), width, operation.groups, y.stride, a!.stride, operation.epsilon]);
      }
      case 'layernorm': {
        const vectors = [this.vector(operation.weight), this.vector(operation.bias)];
        return this.call('layernorm_f32', [y.at, a!.at, ...vectors, output.columns, y.stride, a!.stride, operation.epsilon]);
      }
      case 'linear':
        return this.emitLinear(operation.weight, y, a!);
      case 'bias':
        return this.call('add_f32', [y.at, a!.at, this.vector(operation.weight), output.columns, y.stride, a!.stride, 0]);
      case 'add':
        return this.call('add_f32', [y.at, a!.at, b!.at, output.columns, y.stride, a!.stride, b!.stride]);
      case 'gate':
        return this.call(`${operation.activation}_mul_f32`, [y.at, a!.at, b!.at, output.columns, y.stride, a!.stride, b!.stride]);
      case 'activation':
        return this.call(`${operation.activation}_f32`, [y.at, a!.at, output.columns, y.stride, a!.stride]);
      case 'scale':
        return this.call('scale_f32', [y.at, a!.at, operation.factor, output.columns, y.stride, a!.stride]);
      case 'dropout':
        return this.call('dropout_f32', this.dropout(y, a!, operation, output.columns));
      case 'rope':
        if (!overwritten) throw new Error('rope works in place: nothing else may read its input');
        return this.call('rope_rows_f32', this.rope(y, operation, false));
      case 'attention_sequence': {
        const { sizes, items } = this.attention(operation);
        const lse = { buffer: this.logSums(node, operation.heads), offset: 0 };
        return this.call('attention_sequence_f32', [y.at, lse, a!.at, b!.at, c!.at, ...sizes, y.stride, a!.stride, b!.stride, c!.stride], items);
      }
      default:
        throw new Error(`${operation.op} has no place in training`);
    }
  }

  private emitLinear(name: string, y: Place, x: Place): void {
    const { sizes, addresses } = this.setting;
    const { address, type, rows: n, columns: k } = this.weight(name);
    this.call(this.product(`matmul_f32_${type}`, type), [y.at, x.at, address, addresses.scratch, constant(sizes.rows), k, y.stride, x.stride], Math.ceil(n / 8));
  }
}
