import type { DType } from '../files/types.js';
import type { Graph, Node, Operation, RopeScaling, Rows, Value } from '../graph/graph.js';
import type { KernelExports, KernelName } from '../kernels/instance.js';
import { kernelBytes } from '../kernels/sizes.js';
import { type Argument, constant, dynamic, SLOT, type Step } from '../kernels/steps.js';
import { BufferSpace } from './buffers.js';
import { Meetings, type Region, type Touch } from './meetings.js';

/** A weight in linear memory: a packed matrix (rows x columns) or a plain f32 vector (type f32, one row). */
export interface PlacedWeight {
  readonly address: number;
  readonly type: DType;
  readonly rows: number;
  readonly columns: number;
}

export interface PlanOptions {
  readonly exports: KernelExports;
  readonly weights: ReadonlyMap<string, PlacedWeight>;
  /** Most tokens per run. */
  readonly batch: number;
  readonly kvCache: 'f32' | 'q8_0';
  readonly activations: 'q8' | 'f32';
  readonly threads: number;
  /** Where the plan's buffers begin. */
  readonly base: number;
  /** Gives every value its own buffer, so that all can be looked at afterwards. */
  readonly keepAll?: boolean;
}

export interface Plan {
  readonly steps: readonly Step[];
  /** Steps from here on only serve the logits. */
  readonly headStart: number;
  /** Bytes of buffers from `base` on. */
  readonly bytes: number;
  /** Addresses of the run's inputs: i32 ids and positions, f64 rotary frequencies. */
  readonly ids: number;
  readonly positions: number;
  /** i32 [rows][width] ids, of graphs with a window. */
  readonly windows: number;
  readonly frequencies: number;
  /** Bytes that one layer takes in a KV cache for KEY_BLOCK tokens. */
  readonly kvBlockBytes: number;
  /** Elements between rows of logits. */
  readonly logitsStride: number;
  /** Where the values of a kept plan lie, by label: address and elements between rows. */
  readonly values: ReadonlyMap<string, { address: number; stride: number; columns: number }>;
}

const FLOAT_TYPES: ReadonlySet<DType> = new Set(['f32', 'f16', 'bf16']);
const F32_BYTES = 4;
/** A multiple of the attention kernel's block of keys. */
export const KEY_BLOCK = 64;

/** Rows are padded to whole groups of 8 columns, because matmul writes whole groups. */
export const rowStride = (columns: number): number => Math.ceil(columns / 8) * 8;
/** Nodes for which a buffer rests before it is used again: threads that run on would have to meet first. */
const RESTING = 3;
/** What lies outside the plan's own buffers, for Meetings: no offset is in use there. */
const LOGITS: Region = { offset: -1, bytes: 1 };
const ANGLES: Region = { offset: -2, bytes: 1 };
const kvRegion = (layer: number): Region => ({ offset: -3 - layer, bytes: 1 });
const groupsOf = (rows: number): number => Math.ceil(rows / 8);

interface Place {
  readonly address: Argument;
  readonly stride: number;
}

const shifted = (argument: Argument, bytes: number): Argument => ({ ...argument, base: argument.base + bytes });

/** Turns a graph into a flat list of kernel calls at fixed addresses. */
export function makePlan(graph: Graph, options: PlanOptions): Plan {
  return new Planner(graph, options).plan();
}

/** Bytes that one layer takes in a KV cache, by blocks of keys: the kernel's own answer is a u32, and a context can ask for more. */
export function kvBlockBytes({ kvHeads, headDim }: Graph, { exports, kvCache }: Pick<PlanOptions, 'exports' | 'kvCache'>): number {
  return kernelBytes(exports, `kv_bytes_${kvCache}`, KEY_BLOCK, kvHeads, headDim);
}

/** Blocks of keys that hold so many tokens. */
export const keyBlocks = (tokens: number): number => Math.ceil(tokens / KEY_BLOCK);

class Planner {
  private readonly steps: Step[] = [];
  private readonly space = new BufferSpace();
  private readonly storage = new Map<number, Region>();
  private readonly quantised = new Map<number, Region>();
  private readonly meetings = new Meetings();
  private readonly lastUse = new Map<number, number>();
  /** Buffers that each of the last nodes was the last to use. */
  private readonly leaving: Region[][] = [];
  /** Values whose buffer has become that of the value computed from them. */
  private readonly handedOn = new Set<number>();
  /** Nodes whose output are logits: those lie where the run wants them, and stay there when a bias or a low-rank pair is added. */
  private readonly logits: readonly boolean[];
  private readonly ids: number;
  private readonly positions: number;
  private readonly windows: number;
  private readonly frequencies: number;
  private readonly angles: number;
  private readonly scratch: Argument;
  private readonly forms = new Map<Value, number>();
  private headStart = Infinity;

  constructor(
    private readonly graph: Graph,
    private readonly options: PlanOptions,
  ) {
    const half = (graph.rope?.dims ?? 0) / 2;
    this.ids = this.fixed(options.batch * 4);
    this.positions = this.fixed(options.batch * 4);
    this.windows = this.fixed(options.batch * (graph.window?.width ?? 0) * 4);
    this.frequencies = this.fixed(half * 8);
    this.angles = this.fixed(options.batch * 2 * half * F32_BYTES);
    const perThread = Math.ceil(this.scratchBytes() / 64) * 64;
    this.scratch = { ...constant(this.fixed(perThread * options.threads)), perThread };
    graph.nodes.forEach((node, i) => node.inputs.forEach((x) => this.lastUse.set(this.root(x).id, i)));
    graph.nodes.forEach((node) => this.noteForms(node));
    this.logits = logitsNodes(graph.nodes);
  }

  plan(): Plan {
    this.emitAngles();
    this.graph.nodes.forEach((node, index) => {
      if (node.output.rows === 'head') this.headStart = Math.min(this.headStart, this.steps.length);
      this.place(node, index);
      this.emit(node);
      this.releaseAfter(node, index);
      this.leaving.splice(0, this.leaving.length - RESTING).forEach((gone) => gone.forEach(({ offset, bytes }) => this.space.give(offset, bytes)));
    });
    return {
      steps: this.steps,
      headStart: Math.min(this.headStart, this.steps.length),
      bytes: this.space.bytes,
      ids: this.ids,
      positions: this.positions,
      windows: this.windows,
      frequencies: this.frequencies,
      kvBlockBytes: kvBlockBytes(this.graph, this.options),
      logitsStride: rowStride(this.graph.vocabulary),
      values: this.keptValues(),
    };
  }

  // Storage

  private fixed(bytes: number): number {
    return this.options.base + this.space.take(bytes);
  }

  /** What one thread needs while it computes one step. */
  private scratchBytes(): number {
    const { exports } = this.options;
    const sizes = this.graph.nodes.map(({ operation, inputs }) => {
      if (operation.op === 'linear') return kernelBytes(exports, 'matmul_scratch_bytes', inputs[0]!.columns);
      if (operation.op !== 'attention') return 0;
      return kernelBytes(exports, 'attention_scratch_bytes', operation.headDim, operation.heads / operation.kvHeads);
    });
    return Math.max(64, ...sizes);
  }

  /** The value whose buffer holds x. */
  private root(x: Value): Value {
    if (x.view) return this.root(x.view.of);
    const node = this.graph.nodes[x.id]!;
    return node.operation.op === 'head' ? this.root(node.inputs[0]!) : x;
  }

  private withoutHead(x: Value): Value {
    const node = x.view ? undefined : this.graph.nodes[x.id];
    return node?.operation.op === 'head' ? this.withoutHead(node.inputs[0]!) : x;
  }

  private place({ operation, inputs, output }: Node, index: number): void {
    if (operation.op === 'head' || output.columns === 0 || this.isLogits(output)) return;
    const reused = this.reusable(operation, inputs, output, index);
    if (reused) {
      this.storage.set(output.id, reused);
      return;
    }
    const bytes = this.options.batch * rowStride(output.columns) * F32_BYTES;
    this.storage.set(output.id, { offset: this.space.take(bytes), bytes });
  }

  private isLogits(x: Value): boolean {
    return this.logits[x.id] ?? false; // a view has no id
  }

  /** Element-wise operations write over an input that nobody needs any more; rope always works in place. */
  private reusable(operation: Operation, inputs: readonly Value[], output: Value, index: number) {
    const inPlace = operation.op === 'rope' || operation.op === 'bias';
    if (!inPlace && (this.options.keepAll || !['add', 'gate', 'activation', 'scale'].includes(operation.op))) return undefined;
    const x = inputs[0]!;
    const own = this.root(x) === x && x.rows === output.rows && this.lastUse.get(x.id) === index;
    if (!own) return undefined;
    this.handedOn.add(x.id);
    return this.storage.get(x.id);
  }

  private releaseAfter(node: Node, index: number): void {
    if (this.options.keepAll) return;
    const gone: Region[] = [];
    for (const x of new Set(node.inputs.map((input) => this.root(input)))) {
      const kept = this.storage.get(x.id);
      if (!kept || this.lastUse.get(x.id) !== index) continue;
      if (!this.handedOn.has(x.id)) gone.push(kept);
      this.storage.delete(x.id);
      const copy = this.quantised.get(x.id);
      if (copy) gone.push(copy);
      this.quantised.delete(x.id);
    }
    this.leaving.push(gone);
  }

  private keptValues() {
    const named = this.graph.nodes.flatMap(({ output }) => {
      const kept = this.storage.get(output.id);
      return kept ? [[output.label, { address: this.options.base + kept.offset, stride: rowStride(output.columns), columns: output.columns }] as const] : [];
    });
    return new Map(named);
  }

  // Addresses

  /** Address of a value's first row, and elements between its rows. */
  private at(x: Value): Place {
    if (x.view) {
      const whole = this.at(x.view.of);
      return { ...whole, address: shifted(whole.address, x.view.offset * F32_BYTES) };
    }
    const { operation, inputs } = this.graph.nodes[x.id]!;
    if (operation.op === 'head') {
      const all = this.at(inputs[0]!);
      return { stride: all.stride, address: dynamic(SLOT.headFirst, all.stride * F32_BYTES, all.address.base) };
    }
    if (this.isLogits(x)) return { address: dynamic(SLOT.logits), stride: rowStride(x.columns) };
    return { address: constant(this.options.base + this.storage.get(x.id)!.offset), stride: rowStride(x.columns) };
  }

  private weight(name: string): PlacedWeight {
    return this.options.weights.get(name)!;
  }

  private vector(name: string | undefined): Argument {
    return constant(name ? this.weight(name).address : 0);
  }

  private tokens(rows: Rows): Argument {
    return dynamic(rows === 'head' ? SLOT.headTokens : SLOT.tokens);
  }

  private kv(layer: number): Argument {
    return { ...dynamic(SLOT.kvLayer, layer), also: SLOT.kvCache };
  }

  // Steps

  private push(kernel: KernelName, list: readonly (Argument | number)[], items: Argument | null, touch: Touch): void {
    const last = this.steps.at(-1);
    if (this.options.threads > 1 && !this.meetings.before({ ...touch, items }) && last) this.steps[this.steps.length - 1] = { ...last, runsOn: true };
    this.steps.push({ kernel, arguments: list.map((x) => (typeof x === 'number' ? constant(x) : x)), items });
  }

  /** What holds a value. */
  private regionOf(x: Value): Region {
    return this.isLogits(this.root(x)) ? LOGITS : this.storage.get(this.root(x).id)!;
  }

  private touch(inputs: readonly Value[], output: Value): Touch {
    return { reads: inputs.map((x) => this.regionOf(x)), writes: [this.regionOf(output)] };
  }

  private emitAngles(): void {
    const { rope } = this.graph;
    if (!rope) return;
    const factor = angleFactor(rope, this.options.exports);
    this.push('rope_angles', [this.angles, this.frequencies, rope.dims / 2, dynamic(SLOT.position), dynamic(SLOT.tokens), factor], null, { reads: [], writes: [ANGLES] });
  }

  private emit({ operation, inputs, output }: Node): void {
    if (operation.op === 'head') return;
    if (operation.op === 'store') return this.emitStore(operation, inputs);
    const y = this.at(output);
    const rows = this.tokens(output.rows);
    const x = inputs[0] && this.at(inputs[0]);
    const touch = this.touch(inputs, output);
    switch (operation.op) {
      case 'embed': {
        const { address, type, columns } = this.weight(operation.table);
        const ids = operation.ids === 'tokens' ? this.ids : this.positions;
        return this.push(`embed_f32_${type}`, [y.address, ids, address, columns, y.stride], rows, touch);
      }
      case 'window': {
        const { address, type, columns } = this.weight(operation.table);
        return this.push(`embed_f32_${type}`, [y.address, this.windows, address, columns, columns], dynamic(SLOT.tokens, operation.width), touch);
      }
      case 'rmsnorm': {
        const width = output.columns / operation.groups;
        const list = [y.address, x!.address, this.vector(operation.weight), width, operation.groups, y.stride, x!.stride, operation.epsilon];
        return this.push('rmsnorm_f32', list, rows, touch);
      }
      case 'layernorm': {
        const vectors = [this.vector(operation.weight), this.vector(operation.bias)];
        return this.push('layernorm_f32', [y.address, x!.address, ...vectors, output.columns, y.stride, x!.stride, operation.epsilon], rows, touch);
      }
      case 'linear':
        return this.emitLinear(operation.weight, inputs[0]!, y, rows, touch);
      case 'bias':
        return this.push('add_f32', [y.address, x!.address, this.vector(operation.weight), output.columns, y.stride, x!.stride, 0], rows, touch);
      case 'add': {
        const b = this.at(inputs[1]!);
        return this.push('add_f32', [y.address, x!.address, b.address, output.columns, y.stride, x!.stride, b.stride], rows, touch);
      }
      case 'gate': {
        const up = this.at(inputs[1]!);
        return this.push(`${operation.activation}_mul_f32`, [y.address, x!.address, up.address, output.columns, y.stride, x!.stride, up.stride], rows, touch);
      }
      case 'activation':
        return this.push(`${operation.activation}_f32`, [y.address, x!.address, output.columns, y.stride, x!.stride], rows, touch);
      case 'rope': {
        const { heads, headDim, dims, style } = operation;
        const rowBytes = dims * F32_BYTES;
        const angles = output.rows === 'head' ? dynamic(SLOT.headFirst, rowBytes, this.angles) : constant(this.angles);
        return this.push('rope_f32', [y.address, angles, heads, headDim, dims, style === 'neox' ? 1 : 0, y.stride], rows, { ...touch, reads: [...touch.reads, ANGLES] });
      }
      case 'scale':
        return this.push('scale_f32', [y.address, x!.address, operation.factor, output.columns, y.stride, x!.stride], rows, touch);
      case 'attention':
        return this.emitAttention(operation, inputs[0]!, y, touch);
    }
  }

  private emitLinear(name: string, input: Value, y: Place, rows: Argument, touch: Touch): void {
    const { address, type, rows: n, columns: k } = this.weight(name);
    const groups = constant(groupsOf(n));
    if (FLOAT_TYPES.has(type) || this.options.activations === 'f32') {
      const x = this.at(input);
      return this.push(`matmul_f32_${type}` as KernelName, [y.address, x.address, address, this.scratch, rows, k, y.stride, x.stride], groups, touch);
    }
    const { address: xq, copy } = this.quantise(input);
    this.push(`matmul_q8_${type}` as KernelName, [y.address, xq, address, this.scratch, rows, k, y.stride], groups, { ...touch, reads: [copy] });
  }

  /** The int8 copy of a value, made once for all the matrices it is multiplied with. */
  private quantise(input: Value): { address: Argument; copy: Region } {
    const whole = this.withoutHead(input);
    const rowBytes = this.options.exports.q8_row_bytes(whole.columns) >>> 0;
    let copy = this.quantised.get(whole.id);
    if (!copy) {
      const bytes = this.options.batch * rowBytes;
      copy = { offset: this.space.take(bytes), bytes };
      if (whole.id >= 0) this.quantised.set(whole.id, copy);
      const x = this.at(whole), rows = this.tokens(whole.rows);
      this.push('quantize_q8', [this.options.base + copy.offset, x.address, whole.columns, x.stride, rows, this.formsFor(whole)], rows, { reads: [this.regionOf(whole)], writes: [copy] });
    }
    const address = this.options.base + copy.offset;
    return { copy, address: input.rows === whole.rows ? constant(address) : dynamic(SLOT.headFirst, rowBytes, address) };
  }

  /** What quantize_q8 wants to know: 1 if matrices of q8_0 multiply this value, 2 if they multiply only some of its rows. */
  private formsFor(whole: Value): number {
    return this.forms.get(whole) ?? 0;
  }

  private noteForms({ operation, inputs: [x] }: Node): void {
    if (operation.op !== 'linear' || this.weight(operation.weight).type !== 'q8_0') return;
    const whole = this.withoutHead(x!);
    this.forms.set(whole, Math.max(this.formsFor(whole), x!.rows === whole.rows ? 1 : 2));
  }

  private emitStore({ layer, kvHeads, headDim }: Extract<Operation, { op: 'store' }>, [key, value]: readonly Value[]): void {
    const [k, v] = [this.at(key!), this.at(value!)];
    const list = [this.kv(layer), k.address, v.address, dynamic(SLOT.kvContext), kvHeads, headDim, dynamic(SLOT.position), k.stride, v.stride];
    this.push(`kv_store_${this.options.kvCache}`, list, this.tokens('all'), { reads: [this.regionOf(key!), this.regionOf(value!)], writes: [kvRegion(layer)] });
  }

  private emitAttention({ layer, heads, kvHeads, headDim, scale }: Extract<Operation, { op: 'attention' }>, query: Value, y: Place, touch: Touch): void {
    const head = query.rows === 'head';
    const q = this.at(query);
    const position = dynamic(head ? SLOT.headPosition : SLOT.position);
    const sizes = [this.tokens(query.rows), position, heads, kvHeads, headDim, dynamic(SLOT.kvContext), scale, y.stride, q.stride];
    const items = dynamic(head ? SLOT.headAttentionItems : SLOT.attentionItems);
    this.push(`attention_f32_${this.options.kvCache}`, [y.address, q.address, this.kv(layer), this.scratch, ...sizes], items, { ...touch, reads: [...touch.reads, kvRegion(layer)] });
  }
}

function logitsNodes(nodes: readonly Node[]): boolean[] {
  const logits: boolean[] = [];
  for (const { operation, inputs, output } of nodes) {
    const added = operation.op === 'bias' || operation.op === 'add';
    logits[output.id] = operation.op === 'linear' ? operation.logits : added && inputs[0]!.view === undefined && logits[inputs[0]!.id]!;
  }
  return logits;
}

/** The kernels' numbers for rope scaling: see assembly/kernels/rope.ts. */
export const ROPE_KIND = { none: 0, linear: 1, yarn: 2, llama3: 3, yarn_exact: 4 } as const;

/** What multiplies cosines and sines. */
export function angleFactor({ kind, factor, attentionFactor, attentionScale, logShares }: RopeScaling, exports: KernelExports): number {
  if (attentionFactor !== undefined) return attentionFactor;
  const usual = exports.rope_attention_factor(ROPE_KIND[kind], factor);
  if (!logShares) return usual * attentionScale;
  const [above, below] = logShares.map((share) => 1 + share * (usual - 1));
  return (above! / below!) * attentionScale;
}
