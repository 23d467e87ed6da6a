import { type ScaledAdapter } from '../../files/adapter.js';
import { pairNames } from '../../files/pair-names.js';
import { AdapterSet } from '../../files/adapter-set.js';
import { LAYOUTS } from '../../files/dtypes.js';
import type { GgufContent } from '../../files/gguf-writer.js';
import { badOption } from '../../files/refuse.js';
import type { DType, ModelFile, TensorInfo } from '../../files/types.js';
import type { TrainKernels } from '../../kernels/instance.js';
import { readRows, withComputed } from './computed.js';
import { checkType, encodeTensors, type Fallback, fitting, type Quantisation, quantizeModel, unsplit } from './quantize.js';

export interface MergeOptions {
  /** Type of all matrices, as in quantising. Default: each keeps its own. */
  readonly type?: Quantisation | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface Merged {
  readonly content: GgufContent;
  /** Adapted weights that were quantised and are so again, by the type they get: what the adapters add is rounded with them. */
  readonly requantised: ReadonlyMap<DType, number>;
  readonly fallbacks: readonly Fallback[];
}

/** W + scale · alpha / rank · B A for every adapted weight, as a new model ready for writeGguf. @throws StonechatError `bad-option`. */
export function mergeAdapters(base: ModelFile, adapters: readonly ScaledAdapter[], kernels: TrainKernels, { type, onProgress }: MergeOptions = {}): Merged {
  if (base.format !== 'gguf') throw badOption('a GGUF file', `${base.format} in ${base.name}`, 'Convert the model to GGUF first (stonechat convert).');
  if (adapters.length === 0) throw badOption('at least one adapter', 'none', 'Name it: lora: [{ source }], or --lora FILE.');
  if (type !== undefined) checkType(type);
  const set = new AdapterSet(base, adapters);
  const merged = withComputed(base, ({ name }) => set.weights.includes(name), (tensor, first, end) => addProducts(base, set, tensor, first, end));
  const own = ({ name, type: given }: TensorInfo): DType => {
    const before = base.tensors.get(name)!;
    return before.type === given ? given : fitting(before.type, before.shape[0]!);
  };
  const progress = onProgress && { onProgress };
  const content =
    type === undefined
      ? { metadata: new Map(unsplit(base)), types: base.metadataTypes ?? new Map(), tensors: encodeTensors(merged, kernels, own, onProgress), fallbacks: [] }
      : quantizeModel(merged, kernels, { type, ...progress });
  return { content, requantised: requantised(base, set, content), fallbacks: content.fallbacks };
}

function requantised(base: ModelFile, { weights }: AdapterSet, { tensors }: GgufContent): Map<DType, number> {
  const counts = new Map<DType, number>();
  for (const { name, type } of tensors) {
    const rounded = weights.includes(name) && LAYOUTS[type].elements > 1 && LAYOUTS[base.tensors.get(name)!.type].elements > 1;
    if (rounded) counts.set(type, (counts.get(type) ?? 0) + 1);
  }
  return counts;
}

/** Rows first … end of a weight with the joined pair's product added: sums in f64, in the order of the pair's columns, rounded once. */
async function addProducts(base: ModelFile, set: AdapterSet, tensor: TensorInfo, first: number, end: number): Promise<Float32Array> {
  const columns = tensor.shape[0]!;
  const names = pairNames(tensor.name);
  const [a, b] = await Promise.all([set.values(names.a), set.values(names.b)]);
  const rank = a.length / columns;
  const sums = Float64Array.from(await readRows(base, tensor, first, end));
  for (let row = first; row < end; row++) {
    const sum = sums.subarray((row - first) * columns, (row - first + 1) * columns);
    for (let r = 0; r < rank; r++) {
      const factor = b[row * rank + r]!;
      for (let i = 0; i < columns; i++) sum[i]! += factor * a[r * columns + i]!;
    }
  }
  return Float32Array.from(sums);
}
