import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openModel, type OpenModelOptions } from '../../../src/files/index.js';
import { toFloat32 } from '../../../src/files/dtypes.js';
import type { ModelFile } from '../../../src/files/types.js';
import { listFolder, openLocation } from '../../../src/host/node-files.js';

/** ../shared/data beside the project, with models that are not part of it. */
export const SHARED = fileURLToPath(new URL('../../../../shared/data/', import.meta.url));
export const hasShared = existsSync(SHARED);
export const noShared = 'needs ../shared/data, which is not here';

export const onDisk: OpenModelOptions = { open: openLocation, list: listFolder };
export const openShared = (path: string): Promise<ModelFile> => openModel(SHARED + path, onDisk);

export async function readTensor(model: ModelFile, name: string): Promise<Float32Array> {
  const tensor = model.tensors.get(name)!;
  const bytes = new Uint8Array(tensor.bytes);
  await model.read(tensor, 0, bytes);
  return toFloat32(tensor.type, bytes, tensor.shape.reduce((a, b) => a * b, 1));
}

/** Every tensor, read in map order in pieces of `piece` bytes. Returns how many bytes there were. */
export async function readWhole(model: ModelFile, piece = 1 << 20): Promise<number> {
  let total = 0;
  for (const tensor of model.tensors.values()) {
    for (let at = 0; at < tensor.bytes; at += piece) {
      const into = new Uint8Array(Math.min(piece, tensor.bytes - at));
      await model.read(tensor, at, into);
      total += into.length;
    }
  }
  return total;
}
