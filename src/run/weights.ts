import { StonechatError } from '../errors.js';
import { toFloat32 } from '../files/dtypes.js';
import type { DType, ModelFile, TensorInfo } from '../files/types.js';
import type { Graph } from '../graph/graph.js';
import type { OpenOptions } from '../host/host.js';
import type { Arena } from '../kernels/arena.js';
import type { KernelExports, Kernels } from '../kernels/instance.js';
import { type PlacedWeight, rowStride } from '../plan/plan.js';

/** Bytes read and repacked at a time: enough for fast reads, little beside any model worth streaming. */
const CHUNK_BYTES = 4 << 20;
const GROUP_ROWS = 8;

type Size = (rows: number, columns: number) => number;
type Repack = (destination: number, source: number, rows: number, columns: number) => void;

/** Counted in groups: the kernel's own answer for a whole matrix is a u32. */
const packedBytes = (exports: KernelExports, type: DType): Size => (rows, columns) =>
  (exports[`packed_bytes_${type}`](GROUP_ROWS, columns) >>> 0) * Math.ceil(rows / GROUP_ROWS);
const repack = (exports: KernelExports, type: DType): Repack => exports[`repack_${type}`];

const sizeOf = (tensor: TensorInfo): { columns: number; rows: number } => ({
  columns: tensor.shape[0]!,
  rows: tensor.shape.slice(1).reduce((a, b) => a * b, 1),
});

/** Bytes of linear memory that the graph's weights take once packed. */
export function weightBytes(file: ModelFile, graph: Graph, exports: KernelExports): number {
  const sizes = graph.weights.map(({ name, role }) => {
    const tensor = file.tensors.get(name)!;
    const { columns, rows } = sizeOf(tensor);
    return role === 'matrix' ? packedBytes(exports, tensor.type)(rows, columns) : rowStride(columns) * 4;
  });
  return sizes.reduce((sum, bytes) => sum + Math.ceil(bytes / 64) * 64, 0);
}

/** Places every weight of the graph without reading it: addresses for the plan. */
export function placeWeights(file: ModelFile, graph: Graph, exports: KernelExports, allocate: (bytes: number) => number): Map<string, PlacedWeight> {
  const placed = graph.weights.map(({ name, role }): [string, PlacedWeight] => {
    const { type } = file.tensors.get(name)!;
    const { columns, rows } = sizeOf(file.tensors.get(name)!);
    const matrix = role === 'matrix';
    const bytes = matrix ? packedBytes(exports, type)(rows, columns) : rowStride(columns) * 4;
    return [name, { address: allocate(bytes), type: matrix ? type : 'f32', rows: matrix ? rows : 1, columns }];
  });
  return new Map(placed);
}

/** Reads a small tensor whole, as f32. */
async function readVector(file: ModelFile, tensor: TensorInfo): Promise<Float32Array> {
  const bytes = new Uint8Array(tensor.bytes);
  await file.read(tensor, 0, bytes);
  return toFloat32(tensor.type, bytes, tensor.shape.reduce((a, b) => a * b, 1));
}

/**
 * Streams the weights into linear memory in the file's order: raw rows into a staging buffer, from there repacked to
 * their place. Only the staging buffer (a few MiB) is needed beside the packed weights.
 */
export async function loadWeights(
  file: ModelFile,
  weights: ReadonlyMap<string, PlacedWeight>,
  graph: Graph,
  kernels: Kernels,
  arena: Arena,
  { signal, onProgress }: OpenOptions,
): Promise<void> {
  const roles = new Map(graph.weights.map(({ name, role }) => [name, role]));
  const used = [...file.tensors.values()].filter((tensor) => roles.has(tensor.name));
  const total = used.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const largestGroup = Math.max(0, ...used.map((tensor) => bytesPerRow(tensor) * GROUP_ROWS));
  const stagingBytes = Math.max(CHUNK_BYTES, largestGroup);
  const staging = arena.allocate(stagingBytes, 'reading the model');
  let done = 0;
  const advance = (bytes: number) => {
    done += bytes;
    onProgress?.({ phase: 'load', done, total });
    if (signal?.aborted) throw aborted(signal);
  };
  try {
    for (const tensor of used) {
      const place = weights.get(tensor.name)!;
      if (roles.get(tensor.name) === 'matrix') await loadMatrix(file, tensor, place.address, kernels, { staging, stagingBytes }, advance);
      else {
        const values = await readVector(file, tensor);
        new Float32Array(kernels.memory.buffer, place.address, values.length).set(values);
        advance(tensor.bytes);
      }
    }
  } finally {
    arena.release(staging, stagingBytes);
  }
}

const bytesPerRow = (tensor: TensorInfo): number => tensor.bytes / sizeOf(tensor).rows;

async function loadMatrix(
  file: ModelFile,
  tensor: TensorInfo,
  address: number,
  { exports, memory }: Kernels,
  { staging, stagingBytes }: { staging: number; stagingBytes: number },
  advance: (bytes: number) => void,
): Promise<void> {
  const { columns, rows } = sizeOf(tensor);
  const rowBytes = bytesPerRow(tensor);
  const step = Math.max(GROUP_ROWS, Math.floor(stagingBytes / rowBytes / GROUP_ROWS) * GROUP_ROWS);
  const packed = packedBytes(exports, tensor.type);
  for (let row = 0; row < rows; row += step) {
    const count = Math.min(step, rows - row);
    await file.read(tensor, row * rowBytes, new Uint8Array(memory.buffer, staging, count * rowBytes));
    repack(exports, tensor.type)(address + packed(row, columns), staging, count, columns);
    advance(count * rowBytes);
  }
}

export function aborted(signal: AbortSignal): StonechatError {
  return new StonechatError({
    code: 'aborted',
    expected: 'to finish',
    found: 'an aborted signal',
    remedy: 'Call again without aborting.',
    cause: signal.reason,
  });
}
