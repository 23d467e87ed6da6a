import { pairNames } from './pair-names.js';
import { checkValues } from './finite.js';
import { type GgufContent, tensorOf } from './gguf-writer.js';
import { inGgufOrder } from './head-order.js';
import type { MetadataValue, ModelFile } from './types.js';

/** A pair with its values, as training has them. */
export interface TrainedPair {
  readonly weight: string;
  readonly rank: number;
  readonly columns: number;
  readonly rows: number;
  readonly a: Float32Array<ArrayBuffer>;
  readonly b: Float32Array<ArrayBuffer>;
}

/** An adapter to be written by writeGguf, as llama.cpp reads it. */
export function adapterContent(base: ModelFile, alpha: number, pairs: readonly TrainedPair[], more: ReadonlyMap<string, MetadataValue> = new Map()): GgufContent {
  const name = base.metadata.get('general.name');
  const metadata = new Map<string, MetadataValue | undefined>([
    ['general.architecture', String(base.metadata.get('general.architecture'))],
    ['general.type', 'adapter'],
    ['adapter.type', 'lora'],
    ['adapter.lora.alpha', alpha],
    ['general.name', name === undefined ? undefined : `${String(name)} adapter`],
    ['general.base_model.count', name === undefined ? undefined : 1],
    ['general.base_model.0.name', name],
    ['general.file_type', 0],
    ...more,
  ]);
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array) => new Uint8Array(buffer, byteOffset, byteLength);
  const tensors = pairs.flatMap(({ weight, rank, columns, rows, a, b }) => {
    const names = pairNames(weight);
    checkValues(names.a, 'f32', a);
    checkValues(names.b, 'f32', b);
    return [tensorOf(names.a, 'f32', [columns, rank], bytes(a)), tensorOf(names.b, 'f32', [rank, rows], bytes(inGgufOrder(base.metadata, weight, b, rank)))];
  });
  return { metadata, tensors };
}
