import { LAYOUTS } from './dtypes.js';
import type { WrittenTensor } from './gguf-writer.js';
import { badOption } from './refuse.js';
import type { DType } from './types.js';

const TYPES: Partial<Record<DType, string>> = { f32: 'F32', f16: 'F16', bf16: 'BF16' };
const CHUNK_BYTES = 4 << 20;
/** The header is padded with spaces to a multiple of this, so that tensors are aligned. */
const ALIGNMENT = 8;

/** A tensor to be written; `shape` is row-major here: its last axis is contiguous. */
export type SafeTensor = WrittenTensor;

const bytesOf = ({ type, shape }: SafeTensor): number => shape.reduce((a, b) => a * b, LAYOUTS[type].bytes);

/** Its dtype there. @throws StonechatError `bad-option` for quantised types, which the format does not have. */
function dtypeOf({ name, type }: SafeTensor): string {
  const found = TYPES[type];
  if (found) return found;
  throw badOption(`tensors of ${Object.keys(TYPES).join(', ')} for safetensors`, `${type} in ${name}`, 'Name one of these types (--type f16).');
}

/** Length (u64), JSON of names, dtypes, shapes and offsets; wide types first, so that all are aligned. */
function writeHead(tensors: readonly SafeTensor[]): Uint8Array<ArrayBuffer> {
  let end = 0;
  const entries = tensors.map((tensor) => [tensor.name, { dtype: dtypeOf(tensor), shape: tensor.shape, data_offsets: [end, (end += bytesOf(tensor))] }] as const);
  const json = new TextEncoder().encode(JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) }));
  const padded = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT;
  const head = new Uint8Array(8 + padded).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(json, 8);
  return head;
}

/** A safetensors file in chunks of a few MiB, front to back. Format: huggingface/safetensors README. */
export async function* writeSafetensors(tensors: readonly SafeTensor[]): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const sorted = [...tensors].sort((a, b) => LAYOUTS[b.type].bytes - LAYOUTS[a.type].bytes);
  yield writeHead(sorted);
  for (const tensor of sorted) {
    const total = bytesOf(tensor);
    for (let offset = 0; offset < total; offset += CHUNK_BYTES) {
      const chunk = new Uint8Array(Math.min(CHUNK_BYTES, total - offset));
      await tensor.read(offset, chunk);
      yield chunk;
    }
  }
}

/** Bytes of the whole file. */
export const safetensorsBytes = (tensors: readonly SafeTensor[]): number => tensors.reduce((sum, tensor) => sum + bytesOf(tensor), writeHead(tensors).length);
