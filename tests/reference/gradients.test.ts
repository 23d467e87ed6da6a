// The gradients of the reference twins against central differences of the twins themselves, in f64.
import { describe, expect, it } from 'vitest';
import { gelu, geluErf, geluErfSlope, geluSlope, silu, siluSlope, tanhSlope } from './activation.js';
import { attentionSequence, attentionSequenceGrad } from './attention_sequence.js';
import { addBias, biasGrad } from './bias.js';
import { crossEntropy, crossEntropyGrad } from './cross_entropy.js';
import { embed, embedGrad } from './embed.js';
import { layernorm, layernormGrad } from './layernorm.js';
import { rmsnorm, rmsnormGrad } from './rmsnorm.js';
import { rope, ropeGrad } from './rope.js';
import { window, windowGrad } from './window.js';
import { random } from '../kernels/support.js';

interface Case {
  /** Elements of each input. */
  sizes: number[];
  forward: (inputs: Float64Array[]) => ArrayLike<number>;
  /** A gradient for each input, from that of the result. */
  backward: (dy: Float64Array, inputs: Float64Array[]) => ArrayLike<number>[];
}

const numbers = (length: number, next: () => number): Float64Array => Float64Array.from({ length }, () => 2 * next() - 1);
const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0);
const STEP = 1e-5;

function expectGradients({ sizes, forward, backward }: Case, seed: number): void {
  const next = random(seed);
  const inputs = sizes.map((size) => numbers(size, next));
  const dy = numbers(forward(inputs).length, next);
  const value = (at: Float64Array, i: number, by: number) => {
    const kept = at[i]!;
    at[i] = kept + by;
    const result = dot(forward(inputs), dy);
    at[i] = kept;
    return result;
  };
  backward(dy, inputs).forEach((gradient, which) => {
    const at = inputs[which]!;
    expect(gradient.length).toBe(at.length);
    at.forEach((_, i) => expect(Math.abs((value(at, i, STEP) - value(at, i, -STEP)) / (2 * STEP) - gradient[i]!)).toBeLessThan(1e-8));
  });
}

const EPS = 1e-5;
const elementwise = (forward: (x: number) => number, slope: (x: number) => number): Case => ({
  sizes: [20],
  forward: ([x]) => x!.map((value) => forward(4 * value)),
  backward: (dy, [x]) => [x!.map((value, i) => 4 * slope(4 * value) * dy[i]!)],
});
const gated = (forward: (x: number) => number, slope: (x: number) => number): Case => ({
  sizes: [9, 9],
  forward: ([gate, up]) => gate!.map((value, i) => forward(value) * up![i]!),
  backward: (dy, [gate, up]) => [gate!.map((value, i) => dy[i]! * up![i]! * slope(value)), gate!.map((value, i) => dy[i]! * forward(value))],
});
const rotation = (style: 'interleaved' | 'neox'): Case => {
  const angles = [0.1, 0.7, 2].flatMap(Math.cos).concat([0.1, 0.7, 2].map(Math.sin));
  return { sizes: [16], forward: ([x]) => rope(x!, angles, 8, 6, style), backward: (dy) => [ropeGrad(dy, angles, 8, 6, style)] };
};
const attention = (heads: number, kvHeads: number, headDim: number, starts: number[]): Case => {
  const sizes = { heads, kvHeads, headDim, scale: 0.7 };
  return {
    sizes: [heads, kvHeads, kvHeads].map((count) => starts.length * count * headDim),
    forward: ([q, k, v]) => attentionSequence({ q: q!, k: k!, v: v!, starts }, sizes).out,
    backward: (dy, [q, k, v]) => {
      const { dq, dk, dv } = attentionSequenceGrad(dy, { q: q!, k: k!, v: v!, starts }, sizes);
      return [dq, dk, dv];
    },
  };
};

const CASES: Record<string, Case> = {
  silu: elementwise(silu, siluSlope),
  gelu: elementwise(gelu, geluSlope),
  'gelu, exact': elementwise(geluErf, geluErfSlope),
  tanh: elementwise(Math.tanh, tanhSlope),
  'silu gate': gated(silu, siluSlope),
  'gelu gate': gated(gelu, geluSlope),
  'rmsnorm, 3 vectors': {
    sizes: [15, 5],
    forward: ([x, w]) => rmsnorm(x!, w!, 5, EPS),
    backward: (dy, [x, w]) => {
      const { dx, dw } = rmsnormGrad(dy, x!, w!, 5, EPS);
      return [dx, dw];
    },
  },
  layernorm: {
    sizes: [7, 7, 7],
    forward: ([x, w, b]) => layernorm(x!, w!, b, EPS),
    backward: (dy, [x, w]) => {
      const { dx, dw } = layernormGrad(dy, x!, w!, EPS);
      return [dx, dw, dy];
    },
  },
  'cross-entropy': {
    sizes: [11],
    forward: ([logits]) => [crossEntropy(logits!, 3)],
    backward: ([scale], [logits]) => [crossEntropyGrad(logits!, 3, scale!)],
  },
  bias: { sizes: [15, 5], forward: ([x, bias]) => addBias(x!, bias!), backward: (dy) => [dy, biasGrad(dy, 5)] },
  embedding: { sizes: [12], forward: ([table]) => embed(table!, [2, 0, 2, 3], 3), backward: (dy) => [embedGrad(dy, [2, 0, 2, 3], 4, 3)] },
  'window, two documents, padding': {
    sizes: [12],
    forward: ([table]) => window(table!, [2, 0, 2, 3, 3], [0, 0, 0, 3, 3], 3, 3, 1),
    backward: (dy) => [windowGrad(dy, [2, 0, 2, 3, 3], [0, 0, 0, 3, 3], 4, 3, 3, 1)],
  },
  'rotary, neighbours': rotation('interleaved'),
  'rotary, halves': rotation('neox'),
  'attention, two documents': attention(2, 2, 3, [0, 0, 0, 3, 3]),
  'attention, grouped queries': attention(4, 2, 2, [0, 0, 0, 0]),
};

describe('gradients of the reference twins are those of central differences', () => {
  it.each(Object.keys(CASES))('%s', (name) => {
    for (const seed of [1, 2, 3]) expectGradients(CASES[name]!, seed);
  });
});
