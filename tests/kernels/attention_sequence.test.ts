import { describe, expect, it } from 'vitest';
import type { AttentionSizes } from '../reference/attention.js';
import { attentionSequence, attentionSequenceGrad, SEQUENCE_TOLERANCE } from '../reference/attention_sequence.js';
import { benchOf } from './rows.js';
import { buildsHere, firstDifference, random, randomFloats, type TrainBench } from './support.js';

interface Batch extends AttentionSizes {
  length: number;
  starts: number[];
  q: Float32Array;
  k: Float32Array;
  v: Float32Array;
  dout: Float32Array;
}

interface Results {
  out: Float32Array;
  lse: Float32Array;
  dq: Float32Array;
  dk: Float32Array;
  dv: Float32Array;
}

/** Rows with `gap` unused elements between them, at an address 4 bytes off alignment. */
function spread(rows: Float32Array, width: number, gap: number): Float32Array {
  const spaced = new Float32Array((rows.length / width) * (width + gap)).fill(7);
  for (let at = 0; at < rows.length; at += width) spaced.set(rows.subarray(at, at + width), (at / width) * (width + gap));
  return spaced;
}

/** The rows of `spread` again; the gaps must be as they were. */
function gather(spaced: Float32Array, width: number, gap: number): Float32Array {
  expect(spaced.every((value, i) => i % (width + gap) < width || value === 7), 'nothing written between rows').toBe(true);
  return spaced.filter((_, i) => i % (width + gap) < width);
}

function run(bench: TrainBench, { q, k, v, dout, starts, length, heads, kvHeads, headDim, scale }: Batch, split = 0): Results {
  const { exports, allocate, bytes, floats, place } = bench;
  const width = heads * headDim, kvWidth = kvHeads * headDim, rows = starts.length, spans = [...starts.filter((start, row) => start === row), rows], items = (spans.length - 1) * kvHeads;
  const scratchBytes = exports.attention_sequence_scratch_bytes(length, headDim), scratch = allocate(scratchBytes + 16);
  bytes(scratch, scratchBytes + 16).fill(0xff);
  const input = (values: Float32Array, of: number, gap: number) => place(spread(values, of, gap), 4);
  const output = (of: number, gap: number) => {
    const at = place(new Float32Array(rows * (of + gap)).fill(7), 4);
    return { at, rows: () => gather(floats(at, rows * (of + gap)), of, gap) };
  };
  const [qAt, kAt, vAt, doutAt, spansAt] = [input(q, width, 3), input(k, kvWidth, 1), input(v, kvWidth, 2), input(dout, width, 4), place(Int32Array.from(spans))];
  const [out, lse, dq, dk, dv] = [output(width, 5), output(heads, 0), output(width, 6), output(kvWidth, 7), output(kvWidth, 8)];
  const ranges = [[split, items], [0, split]] as const, sizes = [heads, kvHeads, headDim, scale] as const;
  const strides = [width + 5, width + 3, kvWidth + 1, kvWidth + 2] as const;
  for (const [first, end] of ranges) exports.attention_sequence_f32(out.at, lse.at, qAt, kAt, vAt, spansAt, scratch, ...sizes, ...strides, first, end);
  for (const [first, end] of ranges) {
    exports.attention_sequence_f32_grad(dq.at, dk.at, dv.at, doutAt, out.at, lse.at, qAt, kAt, vAt, spansAt, scratch, ...sizes, width + 6, kvWidth + 7, kvWidth + 8, width + 4, ...strides, first, end);
  }
  expect(bytes(scratch + scratchBytes, 16).every((value) => value === 0xff), 'scratch kept to its size').toBe(true);
  return { out: out.rows(), lse: lse.rows(), dq: dq.rows(), dk: dk.rows(), dv: dv.rows() };
}

/** Sequences of `length` rows; documents begin at the rows `breaks` of each. */
function batchOf(sequences: number, length: number, breaks: number[], { heads, kvHeads, headDim }: Omit<AttentionSizes, 'scale'>): Batch {
  const rows = sequences * length, next = random(heads * 1000 + headDim + length);
  const starts = Array.from({ length: rows }, (_, row) => row - (row % length) + breaks.reduce((last, at) => (at <= row % length ? at : last), 0));
  const values = (count: number, size = 1) => randomFloats(rows * count * headDim, next, size);
  return { heads, kvHeads, headDim, scale: Math.fround(1 / Math.sqrt(headDim)), length, starts, q: values(heads, 3), k: values(kvHeads), v: values(kvHeads), dout: values(heads) };
}

const SHAPES: [sequences: number, length: number, breaks: number[], heads: number, kvHeads: number, headDim: number][] = [
  [1, 1, [], 1, 1, 8], [2, 2, [], 2, 1, 8], [1, 3, [1], 1, 1, 4], [2, 4, [], 1, 1, 1], [1, 5, [4], 3, 3, 2], [1, 7, [], 1, 1, 6], [1, 8, [3], 2, 2, 16], [3, 9, [1, 8], 2, 1, 12],
  [1, 31, [], 4, 2, 8], [2, 32, [16], 2, 2, 32], [1, 33, [], 6, 2, 32], [1, 63, [31], 1, 1, 64], [1, 64, [], 2, 1, 64], [1, 65, [32, 33, 64], 2, 2, 48], [2, 100, [37, 50, 90], 4, 1, 20], [1, 130, [100], 3, 1, 33],
];
const PARTS = ['out', 'lse', 'dq', 'dk', 'dv'] as const;

describe.each(SHAPES)('attention_sequence_f32: %i sequences of %i, documents at %j, %i heads on %i of %i', (sequences, length, breaks, heads, kvHeads, headDim) => {
  const batch = batchOf(sequences, length, breaks, { heads, kvHeads, headDim });
  const result = run(benchOf('simd'), batch);

  it('and its gradient agree with the reference', () => {
    const expected = { ...attentionSequence(batch, batch), ...attentionSequenceGrad(batch.dout, batch, batch) };
    for (const part of PARTS) {
      const size = expected[part].reduce((best, value) => Math.max(best, Math.abs(value)), 1);
      const worst = result[part].reduce((error, value, i) => Math.max(error, Math.abs(value - expected[part][i]!)), 0);
      expect(worst / size, part).toBeLessThanOrEqual(SEQUENCE_TOLERANCE);
    }
  });

  it.each(buildsHere())('give the same bits split among threads, %s build', (build) => {
    for (const split of [0, (sequences * kvHeads) >> 1]) {
      const other = run(benchOf(build), batch, split);
      for (const part of PARTS) expect(firstDifference(other[part], result[part]), part).toBe(-1);
    }
  });
});

describe.each(buildsHere())('attention_sequence_f32 at the edges, %s build', (build) => {
  const sizes = { heads: 2, kvHeads: 1, headDim: 16 };

  it('a document in a longer sequence has the bits that it has in another one after it', () => {
    const whole = batchOf(1, 70, [40], sizes), other = batchOf(1, 70, [40], sizes);
    for (const part of ['q', 'k', 'v', 'dout'] as const) other[part].subarray(0, (other[part].length / 70) * 40).fill(0.5);
    const [a, b] = [run(benchOf(build), whole), run(benchOf(build), other)];
    for (const part of PARTS) {
      const from = (a[part].length / 70) * 40;
      expect(firstDifference(a[part].subarray(from), b[part].subarray(from)), part).toBe(-1);
    }
  });

  it('NaN in one document does not reach the other', () => {
    const batch = batchOf(1, 70, [40], sizes);
    for (const part of ['q', 'k', 'v', 'dout'] as const) batch[part].subarray(0, (batch[part].length / 70) * 40).fill(NaN);
    const result = run(benchOf(build), batch);
    for (const part of PARTS) expect(result[part].subarray((result[part].length / 70) * 40).every(Number.isFinite), part).toBe(true);
  });

  it('scores of hundreds overflow nothing', () => {
    const batch = batchOf(1, 40, [], sizes);
    batch.q.forEach((value, i) => (batch.q[i] = value * 300));
    const result = run(benchOf(build), batch);
    for (const part of PARTS) expect(result[part].every(Number.isFinite), part).toBe(true);
  });
});
