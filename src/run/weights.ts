import { StonechatError } from '../errors.js';
import { toFloat32 } from '../files/dtypes.js';
import type { DType, ModelFile, TensorInfo } from '../files/types.js';
import type { Graph } from '../graph/graph.js';
import type { OpenOptions } from '../host/host.js';
import type { Arena, Region } from '../kernels/arena.js';
import type { KernelExports, Kernels } from '../kernels/instance.js';
import { type PlacedWeight, rowStride } from '../plan/plan.js';

/** Bytes of one read: few enough to be packed from a cache. */
const PIECE_BYTES = 4 << 20;
/** Bytes of all reads under way. Where they need no memory of their own: enough for the time that it takes to build a tokenizer. */
const READ_AHEAD_BYTES = { buffered: 16 << 20, direct: 256 << 20 };
/** Room for raw rows that are in the way of their own packed form. */
const SCRATCH_BYTES = 256 << 10;
/** Rows that every type packs without a remainder. */
const GROUP_ROWS = 16;

type Size = (rows: number, columns: number) => number;
type Repack = (destination: number, source: number, rows: number, columns: number) => void;

/** Bytes of packed rows, counted in groups: the kernel's own answer for a whole matrix is a u32. */
export function packedBytes(exports: KernelExports, type: DType): Size {
  const bytes: Size = (rows, columns) => exports[`packed_bytes_${type}`](rows, columns) >>> 0;
  return (rows, columns) => bytes(GROUP_ROWS, columns) * Math.floor(rows / GROUP_ROWS) + bytes(rows % GROUP_ROWS, columns);
}
const repack = (exports: KernelExports, type: DType): Repack => exports[`repack_${type}`];

const sizeOf = (tensor: TensorInfo): { columns: number; rows: number } => ({
  columns: tensor.shape[0]!,
  rows: tensor.shape.slice(1).reduce((a, b) => a * b, 1),
});

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

/** What is to be read next: bytes of one tensor to a place, and what to do with them there. */
interface Piece {
  readonly tensor: TensorInfo;
  readonly offset: number;
  readonly into: Uint8Array;
  finish(): void;
}

export interface LoadWeightsOptions extends OpenOptions {
  /** Work for this thread while the first bytes arrive. If it fails, so does loading. */
  readonly meanwhile?: (() => Promise<void>) | undefined;
}

/**
 * Streams the weights into linear memory in the file's order. Packed rows are never shorter than the file's, so that raw
 * rows are read to the end of the very place that they are packed to: besides the packed weights only a small scratch is
 * needed, and the pages of new memory, dear to touch first, are touched by the threads that read.
 */
export async function loadWeights(
  file: ModelFile,
  weights: ReadonlyMap<string, PlacedWeight>,
  graph: Graph,
  kernels: Kernels,
  arena: Arena,
  { signal, onProgress, meanwhile }: LoadWeightsOptions,
): Promise<void> {
  const matrices = new Set(graph.weights.filter(({ role }) => role === 'matrix').map(({ name }) => name));
  const used = [...file.tensors.values()].filter((tensor) => weights.has(tensor.name));
  const total = used.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const bytes = Math.max(SCRATCH_BYTES, ...used.map((tensor) => bytesPerRow(tensor) * GROUP_ROWS));
  const scratch = { address: arena.allocate(bytes, 'reading the model'), bytes };
  let done = 0;
  const finish = (piece: Piece) => {
    piece.finish();
    done += piece.into.length;
    onProgress?.({ phase: 'load', done, total });
    if (signal?.aborted) throw aborted(signal);
  };
  function* pieces(): Iterable<Piece> {
    for (const tensor of used) {
      const { address } = weights.get(tensor.name)!;
      if (matrices.has(tensor.name)) yield* matrixPieces(tensor, address, kernels, scratch);
      else yield vectorPiece(tensor, address, kernels);
    }
  }
  try {
    await readInOrder(file, pieces(), finish, meanwhile);
  } finally {
    arena.release(scratch.address, scratch.bytes);
  }
}

/** Reads ahead while the pieces before are being finished, in order. Ends with no read under way. */
async function readInOrder(file: ModelFile, pieces: Iterable<Piece>, finish: (piece: Piece) => void, meanwhile = async () => {}): Promise<void> {
  const most = file.direct ? READ_AHEAD_BYTES.direct : READ_AHEAD_BYTES.buffered;
  const queue = pieces[Symbol.iterator]();
  const started: { piece: Piece; arrival: Promise<void> }[] = [];
  let ahead = 0;
  const readAhead = () => {
    while (ahead < most) {
      const { value: piece, done } = queue.next();
      if (done) return;
      ahead += piece.into.length;
      const arrival = file.read(piece.tensor, piece.offset, piece.into);
      arrival.catch(() => {}); // it is awaited below, perhaps after others
      started.push({ piece, arrival });
    }
  };
  try {
    readAhead();
    await meanwhile();
    for (; started.length > 0; readAhead()) {
      const { piece, arrival } = started[0]!;
      await arrival;
      finish(piece);
      ahead -= piece.into.length;
      started.shift();
    }
  } finally {
    await Promise.allSettled(started.map(({ arrival }) => arrival));
  }
}

const bytesPerRow = (tensor: TensorInfo): number => tensor.bytes / sizeOf(tensor).rows;

/** A small tensor, read whole and kept as f32. */
function vectorPiece(tensor: TensorInfo, address: number, { memory }: Kernels): Piece {
  const into = new Uint8Array(tensor.bytes);
  const finish = () => {
    const values = toFloat32(tensor.type, into, tensor.shape.reduce((a, b) => a * b, 1));
    new Float32Array(memory.buffer, address, values.length).set(values);
  };
  return { tensor, offset: 0, into, finish };
}

function* matrixPieces(tensor: TensorInfo, address: number, kernels: Kernels, scratch: Region): Iterable<Piece> {
  const { columns, rows } = sizeOf(tensor);
  const rowBytes = bytesPerRow(tensor);
  const step = Math.max(GROUP_ROWS, Math.floor(PIECE_BYTES / rowBytes / GROUP_ROWS) * GROUP_ROWS);
  const packed = packedBytes(kernels.exports, tensor.type);
  for (let row = 0; row < rows; row += step) {
    const count = Math.min(step, rows - row);
    const place = { address: address + packed(row, columns), bytes: packed(count, columns) };
    const raw = place.address + place.bytes - count * rowBytes;
    const into = new Uint8Array(kernels.memory.buffer, raw, count * rowBytes);
    yield { tensor, offset: row * rowBytes, into, finish: () => packInPlace(kernels, tensor.type, place, count, columns, rowBytes, scratch) };
  }
}

/**
 * Packs raw rows that end where their packed form will end. As many groups as cannot run into rows still to be packed
 * go at once; towards the end, where both meet, a few rows at a time are moved aside first.
 */
function packInPlace({ exports, memory }: Kernels, type: DType, place: Region, rows: number, columns: number, rowBytes: number, scratch: Region): void {
  const pack = repack(exports, type);
  const octets = new Uint8Array(memory.buffer);
  const [packed, raw] = [packedBytes(exports, type)(GROUP_ROWS, columns), rowBytes * GROUP_ROWS];
  const aside = Math.floor(scratch.bytes / raw);
  let to = place.address;
  for (let row = 0; row < rows; ) {
    const from = place.address + place.bytes - (rows - row) * rowBytes;
    const apart = from - to - raw < 0 ? 0 : Math.floor((from - to - raw) / (packed - raw));
    const count = Math.min(rows - row, (apart || aside) * GROUP_ROWS);
    if (!apart) octets.copyWithin(scratch.address, from, from + count * rowBytes);
    pack(to, apart ? from : scratch.address, count, columns);
    to += Math.ceil(count / GROUP_ROWS) * packed;
    row += count;
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
