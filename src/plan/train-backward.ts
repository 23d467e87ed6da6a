import type { Node, Operation, Value } from '../graph/graph.js';
import { gradientRule } from '../graph/ops.js';
import type { KernelName, TrainExports } from '../kernels/instance.js';
import { Gradients } from './gradients.js';
import type { Operand } from './program.js';
import { Operands, type TrainForward, type TrainSetting } from './train-forward.js';
import { blocks, COLUMN_BLOCK, F32_BYTES, type Place, placeIn } from './values.js';

type Of<Name extends Operation['op']> = Extract<Operation, { op: Name }>;

/** Writes down the backward pass: the nodes from last to first, each turning the gradient of its result into those of its inputs and weights. */
export class TrainBackward extends Operands {
  private readonly gradients: Gradients;

  /** `trained` holds the addresses of weights' gradients; a weight without one is frozen. */
  constructor(
    setting: TrainSetting,
    private readonly forward: TrainForward,
    private readonly trained: ReadonlyMap<string, number>,
    private readonly exports: Pick<TrainExports, 'matmul_grad_x_items'>,
  ) {
    super(setting);
    this.gradients = new Gradients(forward.buffers);
  }

  emitAll(): void {
    const { nodes, logits } = this.setting.graph;
    this.gradients.start(logits, this.forward.bufferOf(logits));
    for (const node of [...nodes].reverse()) {
      if (!this.gradients.has(node.output)) continue;
      if (this.needs(node.output)) this.emit(node);
      this.gradients.release(node.output);
    }
  }

  private needs(x: Value): boolean {
    return this.setting.reach.needs(x);
  }

  private call(kernel: KernelName, operands: readonly Operand[], items = this.setting.sizes.rows): void {
    this.setting.program.call(kernel, operands, items);
  }

  private emit(node: Node): void {
    const { operation, inputs, output } = node;
    switch (operation.op) {
      case 'embed':
        return this.embed(operation.table, this.ids(operation.ids), this.setting.sizes.rows, this.gradients.place(output));
      case 'window': {
        // The gradients of a row lie side by side, one for each of its ids.
        const { at } = this.gradients.place(output);
        const { columns } = this.weight(operation.table);
        return this.embed(operation.table, this.setting.addresses.windows, this.setting.sizes.rows * operation.width, { at, stride: columns });
      }
      case 'rmsnorm':
      case 'layernorm':
        return this.norm(operation, inputs[0]!, output);
      case 'linear':
        return this.linear(operation, inputs[0]!, output);
      case 'bias':
        this.biasSums(operation.weight, output);
        break;
      case 'gate':
        return this.gate(operation, inputs, output);
      case 'activation':
        return this.activation(operation, inputs[0]!, output);
      case 'attention_sequence':
        return this.attentionSequence(operation, node);
      case 'rope':
        this.call('rope_rows_f32', this.rope(this.gradients.rewrite(output, true).to, operation, true));
        break;
      case 'scale': {
        const { from, to } = this.gradients.rewrite(output, false);
        this.call('scale_f32', [to.at, from.at, operation.factor, output.columns, to.stride, from.stride]);
        break;
      }
      case 'dropout': {
        const { from, to } = this.gradients.rewrite(output, false);
        this.call('dropout_f32', this.dropout(to, from, operation, output.columns));
        break;
      }
      default:
        gradientRule(operation);
    }
    for (const x of inputs) if (this.needs(x)) this.gradients.pass(output, x);
  }

  private embed(table: string, ids: number, count: number, dy: Place): void {
    const gradient = this.trained.get(table);
    if (gradient === undefined) return;
    const { rows, columns } = this.weight(table);
    this.call('embed_f32_grad', [gradient, dy.at, ids, count, columns, dy.stride], Math.ceil(rows / 8));
  }

  private linear({ weight }: Of<'linear'>, x: Value, output: Value): void {
    const { rows: m } = this.setting.sizes;
    const { scratch } = this.setting.addresses;
    const { address, type, rows: n, columns: k } = this.weight(weight);
    const dy = this.gradients.place(output);
    const gradient = this.trained.get(weight);
    if (gradient !== undefined) {
      const kept = this.forward.place(x);
      this.call(this.product('matmul_f32_grad_w', 'f32'), [gradient, dy.at, kept.at, scratch, m, k, dy.stride, kept.stride], Math.ceil(n / 8));
    }
    if (!this.needs(x)) return;
    const { place: dx, accumulate } = this.gradients.target(x);
    const operands = [dx.at, dy.at, address, scratch, m, n, k, dx.stride, dy.stride, accumulate ? 1 : 0];
    this.call(this.product(`matmul_f32_${type}_grad_x`, type), operands, this.exports.matmul_grad_x_items(k));
  }

  /** By x first: it leaves the statistics of the rows that the weights' gradients take. */
  private norm(operation: Of<'rmsnorm'> | Of<'layernorm'>, x: Value, output: Value): void {
    const rms = operation.op === 'rmsnorm';
    const { program, sizes } = this.setting;
    const groups = rms ? operation.groups : 1;
    const width = output.columns / groups;
    const stats = { buffer: program.buffer(sizes.rows * (rms ? groups : 2) * F32_BYTES), offset: 0 };
    const dy = this.gradients.place(output);
    const kept = this.forward.place(x);
    const { place: dx, accumulate } = this.gradients.target(x);
    const widths = rms ? [width, groups] : [width];
    this.call(
      rms ? 'rmsnorm_f32_grad' : 'layernorm_f32_grad',
      [dx.at, stats, dy.at, kept.at, this.vector(operation.weight), ...widths, dx.stride, dy.stride, kept.stride, operation.epsilon, accumulate ? 1 : 0],
    );
    const dw = this.trained.get(operation.weight);
    if (dw === undefined) return;
    const db = operation.op === 'layernorm' && operation.bias !== undefined ? (this.trained.get(operation.bias) ?? 0) : 0;
    const outputs = rms ? [dw] : [dw, db];
    const operands = [...outputs, dy.at, kept.at, stats, sizes.rows, ...widths, dy.stride, kept.stride];
    this.call(rms ? 'rmsnorm_f32_grad_w' : 'layernorm_f32_grad_w', operands, blocks(width, COLUMN_BLOCK));
  }

  private biasSums(weight: string, output: Value): void {
    const gradient = this.trained.get(weight);
    if (gradient === undefined) return;
    const dy = this.gradients.place(output);
    this.call('bias_f32_grad', [gradient, dy.at, this.setting.sizes.rows, output.columns, dy.stride], blocks(output.columns, COLUMN_BLOCK));
  }

  private gate({ activation }: Of<'gate'>, inputs: readonly Value[], output: Value): void {
    const dy = this.gradients.place(output);
    const [gate, up] = inputs.map((x) => this.forward.place(x));
    this.intoInputs(inputs, ([dgate, dup]) => {
      const strides = [dgate!.stride, dup!.stride, dy.stride, gate!.stride, up!.stride];
      this.call(`${activation}_mul_f32_grad`, [dgate!.at, dup!.at, dy.at, gate!.at, up!.at, output.columns, ...strides]);
    });
  }

  private activation({ activation }: Of<'activation'>, x: Value, output: Value): void {
    const dy = this.gradients.place(output);
    const kept = this.forward.place(x);
    this.intoInputs([x], ([dx]) => this.call(`${activation}_f32_grad`, [dx!.at, dy.at, kept.at, output.columns, dx!.stride, dy.stride, kept.stride]));
  }

  private attentionSequence(operation: Of<'attention_sequence'>, node: Node): void {
    const { inputs, output } = node;
    const dout = this.gradients.place(output);
    const out = this.forward.place(output);
    const lse = { buffer: this.forward.logSums(node, operation.heads), offset: 0 };
    const [q, k, v] = inputs.map((x) => this.forward.place(x));
    const { sizes, items } = this.attention(operation);
    this.intoInputs(inputs, ([dq, dk, dv]) => {
      const strides = [dq!.stride, dk!.stride, dv!.stride, dout.stride, out.stride, q!.stride, k!.stride, v!.stride];
      this.call('attention_sequence_f32_grad', [dq!.at, dk!.at, dv!.at, dout.at, out.at, lse, q!.at, k!.at, v!.at, ...sizes, ...strides], items);
    });
  }

  /** Gradients of inputs by a kernel that cannot add: what must be added to goes through a buffer of its own. */
  private intoInputs(inputs: readonly Value[], write: (places: readonly Place[]) => void): void {
    const { buffers } = this.forward;
    const places = inputs.map((x) => {
      const { place, accumulate } = this.gradients.target(x);
      return { x, place, apart: accumulate ? placeIn(buffers.take({ ...x, view: undefined }), { ...x, view: undefined }) : undefined };
    });
    write(places.map(({ place, apart }) => apart ?? place));
    for (const { place, apart, x } of places) if (apart) buffers.addRows(place, apart, x.columns);
  }
}
