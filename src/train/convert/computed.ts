import { LAYOUTS, toFloat32 } from '../../files/dtypes.js';
import type { ModelFile, TensorInfo } from '../../files/types.js';

const elementsOf = ({ shape }: TensorInfo): number => shape.reduce((a, b) => a * b, 1);

/** Rows first … end of a tensor, in f32. */
export async function readRows(file: ModelFile, tensor: TensorInfo, first: number, end: number): Promise<Float32Array> {
  const columns = tensor.shape[0]!;
  const { elements, bytes } = LAYOUTS[tensor.type];
  const rowBytes = (columns / elements) * bytes;
  const raw = new Uint8Array((end - first) * rowBytes);
  await file.read(tensor, first * rowBytes, raw);
  return toFloat32(tensor.type, raw, (end - first) * columns);
}

/** The model with some of its tensors in f32, made of the file's as they are read. */
export function withComputed(base: ModelFile, isComputed: (tensor: TensorInfo) => boolean, rowsOf: (tensor: TensorInfo, first: number, end: number) => Promise<Float32Array>): ModelFile {
  const computed = new Map([...base.tensors.values()].filter(isComputed).map((tensor) => [tensor.name, { ...tensor, type: 'f32' as const, bytes: 4 * elementsOf(tensor) }]));
  return {
    ...base,
    tensors: new Map([...base.tensors].map(([name, tensor]) => [name, computed.get(name) ?? tensor])),
    async read(tensor, offset, into) {
      if (!computed.has(tensor.name)) return base.read(tensor, offset, into);
      const rowBytes = tensor.shape[0]! * 4;
      const [first, end] = [Math.floor(offset / rowBytes), Math.ceil((offset + into.length) / rowBytes)];
      const { buffer, byteOffset } = await rowsOf(base.tensors.get(tensor.name)!, first, end);
      into.set(new Uint8Array(buffer, byteOffset + offset - first * rowBytes, into.length));
    },
  };
}

/** The model with all weights in f32, as training has them. */
export const inFloat32 = (base: ModelFile): ModelFile => withComputed(base, ({ type }) => type !== 'f32', (tensor, first, end) => readRows(base, tensor, first, end));
