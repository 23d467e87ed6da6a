import type { Graph, RopeScaling } from '../graph/graph.js';
import { type Caller, type KvType, type Node, type Place, root, type RowTable, type RunSizes, type Value, offsetOf, type WeightForm } from '../graph/node.js';
import type { KernelExports, KernelName } from '../kernels/instance.js';
import { blocks, F32_BYTES, ROPE_KIND, rowStride } from '../kernels/layout.js';
import type { Buffer, Operand, Program, Spot } from '../kernels/program.js';
import { type Argument, constant, dynamic, SLOT } from '../kernels/steps.js';
import { FREQUENCIES_OF, INPUT_OF, OUTPUT_OF, SCRATCH, TABLE_OF, WEIGHT_OF } from './addresses.js';

export interface ForwardOptions {
  readonly exports: KernelExports;
  readonly weights: ReadonlyMap<string, WeightForm>;
  readonly activations: 'q8' | 'f32';
  readonly kvCache: KvType;
  readonly fused: boolean;
  readonly sizes: RunSizes;
  /** Bytes from a page's start to what each state keeps in it. */
  readonly stateOffsets: readonly number[];
  /** Addresses of outputs that the run sets. */
  readonly outputs?: Readonly<Record<string, Argument>>;
  /** Ids of values that nothing may write over. */
  readonly kept?: ReadonlySet<number>;
  readonly keepAll?: boolean;
  /** Columns beyond a value's last are zeroed: gradients read whole groups. */
  readonly zeroed?: boolean;
}

/** Writes down the forward pass of a graph: what memory each value has, and the kernel calls of each operation. */
export class Forward implements Caller {
  readonly exports: KernelExports;
  readonly activations: 'q8' | 'f32';
  readonly kvCache: KvType;
  readonly fused: boolean;
  readonly sizes: RunSizes;
  readonly scratch: Operand;
  /** The first call that only serves outputs. */
  outputStart = Infinity;
  private readonly storage = new Map<number, Buffer>();
  private readonly companions = new Map<Value, Map<string, Buffer>>();
  private readonly outside = new Map<string, Buffer>();
  private readonly lastUse = new Map<number, number>();
  private readonly ends: ReadonlyMap<number, Buffer>;

  constructor(
    protected readonly graph: Graph,
    protected readonly program: Program,
    protected readonly options: ForwardOptions,
  ) {
    ({ exports: this.exports, activations: this.activations, kvCache: this.kvCache, fused: this.fused, sizes: this.sizes } = options);
    this.scratch = { buffer: this.named(SCRATCH), offset: 0 };
    graph.nodes.forEach(({ inputs }, index) => inputs.forEach((x) => this.lastUse.set(root(x).id, index)));
    this.ends = this.placeOutputs();
  }

  emitForward(): void {
    this.emitAngles();
    this.graph.nodes.forEach((node, index) => {
      if (node.output.rows === 'output') this.outputStart = Math.min(this.outputStart, this.program.length);
      this.store(node, index);
      node.op.forward(this, node);
    });
  }

  // What operations ask for

  read(x: Value): Place {
    return placeIn(this.bufferOf(x), x);
  }

  write(x: Value): Place {
    const { at, stride } = this.read(x);
    return { at: { ...at, writes: true }, stride };
  }

  rows({ rows }: Value, per = 1): Argument {
    return dynamic(rows === 'all' ? SLOT.tokens : SLOT.outputTokens, per);
  }

  tiles({ rows }: Value, per = 1): Argument {
    return dynamic(rows === 'all' ? SLOT.tiles : SLOT.outputTiles, per);
  }

  table(name: RowTable, { rows }: Value): Operand {
    return name === 'rows' && rows === 'all' ? 0 : this.spot(TABLE_OF(name, rows));
  }

  weight(name: string): WeightForm & { readonly at: Spot } {
    return { ...this.options.weights.get(name)!, at: this.spot(WEIGHT_OF(name)) };
  }

  vector(name: string | undefined): Operand {
    return name === undefined ? 0 : this.spot(WEIGHT_OF(name));
  }

  input(name: string): Spot {
    return this.spot(this.graph.inputs[name]?.kind === 'positions' ? TABLE_OF('positions', 'all') : INPUT_OF(name));
  }

  state(index: number): Spot {
    const buffer = this.outside.get(`state ${index}`) ?? this.program.outside(constant(this.options.stateOffsets[index]!));
    this.outside.set(`state ${index}`, buffer);
    return { buffer, offset: 0 };
  }

  beside(x: Value, name: string, rowBytes: number, make?: (at: Spot) => void): Spot {
    const all = this.companions.get(x) ?? new Map<string, Buffer>();
    this.companions.set(x, all);
    const known = all.get(name);
    if (known) return { buffer: known, offset: 0 };
    const buffer = this.program.buffer(this.sizes.rows * rowBytes);
    all.set(name, buffer);
    make?.({ buffer, offset: 0, writes: true });
    return { buffer, offset: 0, writes: make === undefined };
  }

  readers(x: Value): readonly Node[] {
    return this.graph.nodes.filter(({ inputs }) => inputs.includes(x));
  }

  call(kernel: KernelName, operands: readonly Operand[], items: Argument | number | null): void {
    this.program.call(kernel, operands, items);
  }

  // Memory

  bufferOf(x: Value): Buffer {
    return this.storage.get(root(x).id)!;
  }

  /** For a value of its own. */
  protected take({ columns }: Pick<Value, 'columns'>, zeroed = false): Buffer {
    const buffer = this.program.buffer(this.sizes.rows * rowStride(columns) * F32_BYTES);
    if (zeroed || (this.options.zeroed && columns % 8 !== 0)) this.zero(buffer);
    return buffer;
  }

  protected spot(name: string): Spot {
    return { buffer: this.named(name), offset: 0 };
  }

  private zero(buffer: Buffer): void {
    const count = buffer.bytes / F32_BYTES;
    this.call('zero_f32', [{ buffer, offset: 0, writes: true }, count], blocks(count));
  }

  private named(name: string): Buffer {
    const buffer = this.outside.get(name) ?? this.program.outside(name);
    this.outside.set(name, buffer);
    return buffer;
  }

  private store(node: Node, index: number): void {
    const { op, attributes, output } = node;
    if (output.columns === 0) return;
    const input = op.input?.(attributes);
    this.storage.set(output.id, input === undefined ? this.bufferFor(node, index) : this.named(INPUT_OF(input)));
  }

  private bufferFor(node: Node, index: number): Buffer {
    const end = this.ends.get(node.output.id);
    if (end) return end;
    const free = node.inputs.find((x) => this.mayOverwrite(x, node, index));
    if (!free && node.op.overwrites === 'always') throw new Error(`${node.op.name} works in place: nothing else may read its input`);
    return free ? this.bufferOf(free) : this.take(node.output);
  }

  /** Element-wise operations write over an input that neither this pass nor the gradients look at again. */
  private mayOverwrite(x: Value, { op, output }: Node, index: number): boolean {
    if (!op.overwrites || (this.options.keepAll && op.overwrites !== 'always')) return false;
    const alike = !x.view && x.columns === output.columns && x.rows === output.rows;
    return alike && !this.options.kept?.has(x.id) && this.lastUse.get(x.id) === index && this.graph.nodes[x.id]!.op.input === undefined;
  }

  /** Outputs lie where the run wants them, and so does what they are computed from in place. */
  private placeOutputs(): ReadonlyMap<number, Buffer> {
    const ends = new Map<number, Buffer>();
    for (const [name, output] of Object.entries(this.graph.outputs)) {
      const at = this.options.outputs?.[name] ?? OUTPUT_OF(name);
      const buffer = this.program.outside(at);
      for (let x: Value | undefined = output; x; x = this.overwrittenBy(x)) ends.set(x.id, buffer);
    }
    return ends;
  }

  private overwrittenBy({ id }: Value): Value | undefined {
    const node = this.graph.nodes[id]!;
    const x = node.inputs[0];
    return x && this.mayOverwrite(x, node, id) ? x : undefined;
  }

  /** Tables of cosines and sines for the positions of the rows. */
  private emitAngles(): void {
    for (const [name, input] of Object.entries(this.graph.inputs)) {
      if (input.kind !== 'angles') continue;
      const out = { ...this.input(name), writes: true };
      const positions = this.spot(TABLE_OF('positions', 'all'));
      this.call('rope_angles', [out, this.spot(FREQUENCIES_OF(name)), input.rope.dims / 2, positions, dynamic(SLOT.tokens), angleFactor(input.rope, this.exports)], null);
    }
  }
}

/** Where x lies in the buffer of its root. */
export const placeIn = (buffer: Buffer, x: Value): Place => ({ at: { buffer, offset: offsetOf(x) * F32_BYTES }, stride: rowStride(root(x).columns) });

/** What multiplies cosines and sines. */
export function angleFactor({ kind, factor, attentionFactor, attentionScale, logShares }: RopeScaling, exports: KernelExports): number {
  if (attentionFactor !== undefined) return attentionFactor;
  const usual = exports.rope_attention_factor(ROPE_KIND[kind], factor);
  if (!logShares) return usual * attentionScale;
  const [above, below] = logShares.map((share) => 1 + share * (usual - 1));
  return (above! / below!) * attentionScale;
}
