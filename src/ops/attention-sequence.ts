import type { Caller, Gradient, Node, Op } from '../graph/node.js';
import { F32_BYTES } from '../kernels/layout.js';
import type { Operand, Spot } from '../kernels/program.js';
import { kernelBytes } from '../kernels/sizes.js';
import { type Argument, dynamic, SLOT } from '../kernels/steps.js';
import { attentionFlops, queries } from './attention.js';

interface Attributes {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly scale: number;
}

/** From `spans` to the scale, and the number of items. */
function shared(on: Caller, { heads, kvHeads, headDim, scale }: Attributes): { sizes: Operand[]; items: Argument } {
  return { sizes: [on.input('spans'), on.scratch, heads, kvHeads, headDim, scale], items: dynamic(SLOT.spans, kvHeads) };
}

/** Log-sums of the exponentials, one per row and head. */
const logSums = (on: Caller, { output, attributes: { heads } }: Node<Attributes>): Spot => on.beside(output, 'logsums', heads * F32_BYTES);

/** Causal attention within whole sequences, queries, keys and values being there at once: what training puts in the place of store and attention. */
export const attentionSequenceOp: Op<Attributes> = {
  name: 'attention_sequence',
  columns: queries,
  mixesRows: true,
  scratch: (exports, { attributes: { headDim } }, { length }) => kernelBytes(exports, 'attention_sequence_scratch_bytes', length, headDim),
  flops: attentionFlops,
  forward(on, node) {
    const { attributes, inputs, output } = node;
    const y = on.write(output);
    const [q, k, v] = inputs.map((x) => on.read(x));
    const { sizes, items } = shared(on, attributes);
    on.call('attention_sequence_f32', [y.at, logSums(on, node), q!.at, k!.at, v!.at, ...sizes, y.stride, q!.stride, k!.stride, v!.stride], items);
  },
};

export const attentionSequenceGradient: Gradient<Attributes> = {
  keeps: ({ inputs, output }) => [...inputs, output],
  backward(on, node) {
    const { attributes, inputs, output } = node;
    const [dout, out] = [on.gradient(output), on.read(output)];
    const [q, k, v] = inputs.map((x) => on.read(x));
    const { sizes, items } = shared(on, attributes);
    on.intoInputs(inputs, ([dq, dk, dv]) => {
      const strides = [dq!.stride, dk!.stride, dv!.stride, dout.stride, out.stride, q!.stride, k!.stride, v!.stride];
      on.call('attention_sequence_f32_grad', [dq!.at, dk!.at, dv!.at, dout.at, out.at, logSums(on, node), q!.at, k!.at, v!.at, ...sizes, ...strides], items);
    });
  },
};
