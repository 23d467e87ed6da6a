import { toFloat32 } from '../files/dtypes.js';
import { aborted } from '../files/refuse.js';
import type { DType, ModelFile, TensorInfo } from '../files/types.js';
import type { Graph, WeightRole } from '../graph/graph.js';
import type { OpenOptions } from '../host/host.js';
import type { Arena, Region } from '../kernels/arena.js';
import type { KernelExports, Kernels } from '../kernels/instance.js';
import { kernelBytes } from '../kernels/sizes.js';
import type { PlacedWeight } from '../graph/node.js';
import { rowStride } from '../kernels/layout.js';

/** Bytes of one read: few enough to be packed from a cache. */
const PIECE_BYTES = 4 << 20;
/** Bytes of all reads under way. Where they need no memory of their own: enough for the time that it takes to build a tokenizer. */
const READ_AHEAD_BYTES = { buffered: 16 << 20, direct: 256 << 20 };
/** Room for raw rows that are in the way of their own packed form. */
const SCRATCH_BYTES = 256 << 10;
/** Rows that every type packs without a remainder. */
const GROUP_ROWS = 16;
/** Weights begin at whole cache lines. */
export const ALIGN = 64;

type Size = (rows: number, columns: number) => number;
type Repack = (destination: number, source: number, rows: number, columns: number) => void;

/** Bytes of packed rows, counted in groups: the kernel's own answer for a whole matrix is a u32. */
export function packedBytes(exports: KernelExports, type: DType): Size {
  const bytes: Size = (rows, columns) => kernelBytes(exports, `packed_bytes_${type}`, rows, columns);
  return (rows, columns) => bytes(GROUP_ROWS, columns) * Math.floor(rows / GROUP_ROWS) + bytes(rows % GROUP_ROWS, columns);
}
const repack = (exports: KernelExports, type: DType): Repack => exports[`repack_${type}`];

const sizeOf = (tensor: TensorInfo): { columns: number; rows: number } => ({
  columns: tensor.shape[0]!,
  rows: tensor.shape.slice(1).reduce((a, b) => a * b, 1),
});

/** Types of the file's matrices: vectors (norms, biases) are kept as f32 and need no kernels of their own. */
export const matrixTypes = (file: ModelFile): Set<DType> => new Set([...file.tensors.values()].filter(({ shape }) => shape.length > 1).map(({ type }) => type));

/** Places every weight of the graph without reading it, in the file's order: addresses for the plan. */
export function placeWeights(file: ModelFile, graph: Pick<Graph, 'weights'>, exports: KernelExports, allocate: (bytes: number) => number): Map<string, PlacedWeight> {
  const roles = rolesIn(graph);
  const placed = new Map<string, PlacedWeight>();
  for (const tensor of file.tensors.values()) {
    const role = roles.get(tensor.name);
    if (!role) continue;
    const { columns, rows } = sizeOf(tensor);
    const matrix = role === 'matrix';
    const bytes = matrix ? packedBytes(exports, tensor.type)(rows, columns) : rowStride(columns) * 4;
    placed.set(tensor.name, { address: allocate(bytes), type: matrix ? tensor.type : 'f32', rows: matrix ? rows : 1, columns });
  }
  return placed;
}

const rolesIn = (graph: Pick<Graph, 'weights'>): Map<string, WeightRole> => new Map(graph.weights.map(({ name, role }) => [name, role]));

/** A weight to be read. */
interface Wanted {
  readonly tensor: TensorInfo;
  readonly matrix: boolean;
  readonly columns: number;
  readonly rows: number;
  /** Where it begins and ends in memory. */
  readonly address: number;
  readonly end: number;
}

/** What is to be read next, and what to do with it then. */
interface Piece {
  /** Of tensors: without what lies between them. */
  readonly bytes: number;
  read(): Promise<void>;
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
  graph: Pick<Graph, 'weights'>,
  kernels: Kernels,
  arena: Arena,
  { signal, onProgress, meanwhile }: LoadWeightsOptions,
): Promise<void> {
  const roles = rolesIn(graph);
  const used = [...file.tensors.values()].filter((tensor) => weights.has(tensor.name));
  const total = used.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const bytes = Math.max(SCRATCH_BYTES, ...used.map((tensor) => bytesPerRow(tensor) * GROUP_ROWS));
  const scratch = { address: arena.allocate(bytes, 'reading the model'), bytes };
  let done = 0;
  const finish = (piece: Piece) => {
    piece.finish();
    done += piece.bytes;
    onProgress?.({ phase: 'load', done, total });
    if (signal?.aborted) throw aborted(signal, `loading ${file.name}`);
  };
  const wanted = used.map((tensor): Wanted => {
    const { columns, rows } = sizeOf(tensor);
    const matrix = roles.get(tensor.name) === 'matrix';
    const { address } = weights.get(tensor.name)!;
    const end = address + (matrix ? packedBytes(kernels.exports, tensor.type)(rows, columns) : columns * 4);
    return { tensor, matrix, columns, rows, address, end };
  });
  function* pieces(): Iterable<Piece> {
    for (const run of runsOf(file, wanted)) {
      if (run[0]!.tensor.bytes > PIECE_BYTES && run[0]!.matrix) yield* matrixPieces(file, run[0]!, kernels, scratch);
      else yield runPiece(file, run, kernels, scratch);
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
      ahead += piece.bytes;
      const arrival = piece.read();
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
      ahead -= piece.bytes;
      started.shift();
    }
  } finally {
    await Promise.allSettled(started.map(({ arrival }) => arrival));
  }
}

const bytesPerRow = (tensor: TensorInfo): number => tensor.bytes / sizeOf(tensor).rows;

/**
 * Weights that are read together: side by side in memory, and in the file no further from each other than there. Where the last
 * one's bytes end with its place, none begins before its own place, and so none is packed over bytes of another.
 */
function* runsOf({ read, joined }: ModelFile, wanted: readonly Wanted[]): Iterable<Wanted[]> {
  const isOwn = joined?.read === read;
  let run: Wanted[] = [];
  let bytes = 0;
  for (const next of wanted) {
    const last = run.at(-1);
    const distance = (last && last.end <= next.address && next.address < last.end + ALIGN && isOwn && joined.distance(last.tensor, next.tensor)) || Infinity;
    bytes += distance - (last?.tensor.bytes ?? 0) + next.tensor.bytes;
    if (last && !(distance <= next.address - last.address && bytes <= PIECE_BYTES)) {
      yield run;
      run = [];
    }
    if (run.length === 0) bytes = next.tensor.bytes;
    run.push(next);
  }
  if (run.length > 0) yield run;
}

/** Weights read at once, to where the last one's place ends. */
function runPiece(file: ModelFile, run: readonly Wanted[], kernels: Kernels, scratch: Region): Piece {
  const last = run.at(-1)!;
  const starts = [0];
  for (let i = 1; i < run.length; i++) starts.push(starts[i - 1]! + file.joined!.distance(run[i - 1]!.tensor, run[i]!.tensor)!);
  const length = starts.at(-1)! + last.tensor.bytes;
  const raw = last.end - length;
  const into = new Uint8Array(kernels.memory.buffer, raw, length);
  const finish = () => run.forEach((weight, i) => (weight.matrix ? packInPlace : expandInPlace)(kernels, weight, raw + starts[i]!, scratch));
  const { tensor } = run[0]!;
  const read = () => (run.length === 1 ? file.read(tensor, 0, into) : file.joined!.readOn(tensor, into));
  return { bytes: run.reduce((sum, { tensor: { bytes } }) => sum + bytes, 0), read, finish };
}

/** A small tensor, kept as f32. */
function expandInPlace({ memory }: Kernels, { tensor: { type, bytes }, columns, address }: Wanted, from: number): void {
  if (type === 'f32') new Uint8Array(memory.buffer).copyWithin(address, from, from + bytes);
  else new Float32Array(memory.buffer, address, columns).set(toFloat32(type, new Uint8Array(memory.buffer, from, bytes), columns));
}

/** A large matrix, some rows at a time, each to the end of their own place. */
function* matrixPieces(file: ModelFile, matrix: Wanted, kernels: Kernels, scratch: Region): Iterable<Piece> {
  const { tensor, columns, rows } = matrix;
  const rowBytes = bytesPerRow(tensor);
  const step = Math.max(GROUP_ROWS, Math.floor(PIECE_BYTES / rowBytes / GROUP_ROWS) * GROUP_ROWS);
  const packed = packedBytes(kernels.exports, tensor.type);
  for (let row = 0; row < rows; row += step) {
    const count = Math.min(step, rows - row);
    const address = matrix.address + packed(row, columns);
    const part = { ...matrix, rows: count, address, end: address + packed(count, columns) };
    const bytes = count * rowBytes;
    const raw = part.end - bytes;
    const into = new Uint8Array(kernels.memory.buffer, raw, bytes);
    yield { bytes, read: () => file.read(tensor, row * rowBytes, into), finish: () => packInPlace(kernels, part, raw, scratch) };
  }
}

/**
 * Packs raw rows that end where their packed form will end, or behind it. As many groups as cannot run into rows still to be packed
 * go at once; towards the end, where both meet, a few rows at a time are moved aside first.
 */
function packInPlace({ exports, memory }: Kernels, { tensor, columns, rows, address }: Wanted, start: number, scratch: Region): void {
  const { type } = tensor;
  const rowBytes = bytesPerRow(tensor);
  const pack = repack(exports, type);
  const octets = new Uint8Array(memory.buffer);
  const [packed, raw] = [packedBytes(exports, type)(GROUP_ROWS, columns), rowBytes * GROUP_ROWS];
  const aside = Math.floor(scratch.bytes / raw);
  let to = address;
  for (let row = 0; row < rows; ) {
    const from = start + row * rowBytes;
    const apart = from - to - raw < 0 ? 0 : Math.floor((from - to - raw) / (packed - raw));
    const count = Math.min(rows - row, (apart || aside) * GROUP_ROWS);
    if (!apart) octets.copyWithin(scratch.address, from, from + count * rowBytes);
    pack(to, apart ? from : scratch.address, count, columns);
    to += Math.ceil(count / GROUP_ROWS) * packed;
    row += count;
  }
}
