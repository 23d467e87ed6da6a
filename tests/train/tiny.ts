// Small models of any weight type, and losses of them in f64.
import { collect } from '../../src/files/chunks.js';
import { writeGguf } from '../../src/files/gguf-writer.js';
import { toFloat32 } from '../../src/files/dtypes.js';
import { openModel } from '../../src/files/index.js';
import type { ModelFile } from '../../src/files/types.js';
import { type Batch, Filling } from '../../src/train/data/batches.js';
import { instantiateTrainKernels } from '../../src/kernels/instance.js';
import { quantizeModel, type WrittenType } from '../../src/train/convert/quantize.js';
import { tinyModel, type TinyShape } from '../models/tiny.js';
import { referenceLogits, type ReferenceTensor } from '../reference/transformer.js';
import { trainHost } from './support.js';

/** The model written as GGUF with its matrices in another type. */
export async function inType(file: ModelFile, type: WrittenType): Promise<ModelFile> {
  const kernels = instantiateTrainKernels(await trainHost.host.compile('simd', false), await trainHost.compileTraining('simd', false), 'simd');
  return openModel(await collect(writeGguf(quantizeModel(file, kernels, { type, pure: true }))));
}

export const tinyOf = async (shape: TinyShape, type: WrittenType): Promise<ModelFile> => (type === 'f32' ? tinyModel(shape) : inType(tinyModel(shape), type));

/** All tensors in f32, for the twin. */
export async function valuesOf(file: ModelFile): Promise<Map<string, ReferenceTensor & { data: Float32Array }>> {
  const entries = [...file.tensors.values()].map(async (tensor) => {
    const raw = new Uint8Array(tensor.bytes);
    await file.read(tensor, 0, raw);
    return [tensor.name, { shape: tensor.shape, data: toFloat32(tensor.type, raw, tensor.shape.reduce((a, b) => a * b, 1)) }] as const;
  });
  return new Map(await Promise.all(entries));
}

/** Weights with the products of their pairs added, in f64. */
export function merged(values: ReadonlyMap<string, ReferenceTensor>, scale: number): Map<string, ReferenceTensor> {
  const all = new Map(values);
  for (const [name, { shape, data }] of values) {
    const [a, b] = [values.get(`${name}.lora_a`), values.get(`${name}.lora_b`)];
    if (!a || !b) continue;
    const [columns, rank] = [shape[0]!, a.shape[1]!];
    const sum = Float64Array.from(data);
    for (let i = 0; i < sum.length; i++) {
      const [row, column] = [Math.floor(i / columns), i % columns];
      for (let r = 0; r < rank; r++) sum[i]! += scale * b.data[row * rank + r]! * a.data[r * columns + column]!;
    }
    all.set(name, { shape, data: sum });
  }
  return all;
}

/** -log p of each target of sequences side by side, in f64. */
export function referenceLosses(file: ModelFile, tensors: ReadonlyMap<string, ReferenceTensor>, { ids, targets, spans }: Batch): number[] {
  const losses: number[] = [];
  spans.subarray(0, -1).forEach((first, i) => {
    const logits = referenceLogits({ metadata: file.metadata, tensors }, [...ids.subarray(first, spans[i + 1])]);
    logits.forEach((row, i) => losses.push(targets[first + i]! < 0 ? 0 : surprise(row, targets[first + i]!)));
  });
  return losses;
}

function surprise(logits: Float64Array, target: number): number {
  const top = logits.reduce((a, b) => Math.max(a, b));
  return Math.log(logits.reduce((sum, x) => sum + Math.exp(x - top), 0)) + top - logits[target]!;
}

/** Sequences of ids one after another, the first `masked` predictions of each without a loss. */
export function batchOf(sequences: readonly (readonly number[])[], masked = 0): Batch {
  const filling = new Filling(sequences.flat().length);
  for (const ids of sequences) filling.add(Int32Array.from(ids), Uint8Array.from(ids, (_, i) => (i > masked ? 1 : 0)));
  return filling.batch;
}
