import { LAYOUTS, toFloat32 } from '../../files/dtypes.js';
import { checkBytes, checkEncoded, checkValues } from '../../files/finite.js';
import type { GgufContent, WrittenTensor } from '../../files/gguf-writer.js';
import { badOption } from '../../files/refuse.js';
import type { DType, MetadataValue, ModelFile, TensorInfo } from '../../files/types.js';
import type { TrainKernels } from '../../kernels/instance.js';
import { Arena } from '../../kernels/arena.js';

/** Types that this package writes, by ggml's names: all that it reads. */
export const WRITTEN_TYPES = ['f32', 'f16', 'bf16', 'q8_0', 'q6_K', 'q5_K', 'q5_1', 'q5_0', 'q4_K', 'q4_1', 'q4_0'] as const satisfies readonly DType[];
export type WrittenType = (typeof WRITTEN_TYPES)[number];

/** What a file can be turned to: one type for all matrices, or llama.cpp's mixture of Q4_K and Q6_K. */
export const QUANTISATIONS = [...WRITTEN_TYPES, 'q4_K_M'] as const;
export type Quantisation = (typeof QUANTISATIONS)[number];

/** As it is: every matrix keeps its type. */
export const SAME = 'same';

/** `enum llama_ftype`, the value of `general.file_type`. */
const FILE_TYPES: Readonly<Record<Quantisation, number>> = { f32: 0, f16: 1, q4_0: 2, q4_1: 3, q8_0: 7, q5_0: 8, q5_1: 9, q4_K: 14, q4_K_M: 15, q5_K: 16, q6_K: 18, bf16: 32 };
/** Version of ggml's block formats (GGML_QNT_VERSION). */
const QUANTIZATION_VERSION = 2;

export interface QuantizeOptions {
  readonly type: Quantisation | typeof SAME;
  /** The same type for the output layer too, which otherwise keeps more bits (as in llama.cpp). */
  readonly pure?: boolean;
  /** Called after each tensor with the bytes written so far and in all. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Vectors, and tables that llama.cpp keeps as they are. */
const staysWhole = ({ name, shape }: TensorInfo): boolean => shape.filter((size) => size > 1).length < 2 || name === 'position_embd.weight';

const bitsOf = (type: DType): number => (LAYOUTS[type].bytes * 8) / LAYOUTS[type].elements;

/** Where rows are no whole number of its blocks of 256: llama.cpp's choice (llama-quant.cpp). */
const FALLBACKS: Partial<Record<DType, DType>> = { q4_K: 'q5_0', q5_K: 'q5_1', q6_K: 'q8_0' };

/** The type, or where rows of `columns` do not divide into its blocks, the next that fits. */
export function fitting(type: DType, columns: number): DType {
  const candidates = [type, FALLBACKS[type] ?? type];
  return candidates.find((candidate) => columns % LAYOUTS[candidate].elements === 0) ?? 'f16';
}

/** Whether any of its tensors comes in blocks. */
export const isQuantised = ({ tensors }: ModelFile): boolean => [...tensors.values()].some(({ type }) => LAYOUTS[type].elements > 1);

/** A tensor that could not have the type meant for it. */
export interface Fallback {
  readonly tensor: string;
  readonly columns: number;
  readonly meant: DType;
  readonly type: DType;
}

/** A fallback takes no more bits than the tensor has: then it stays as it is, which loses nothing. */
function typeFitting(meant: DType, { type, shape }: TensorInfo): DType {
  const found = fitting(meant, shape[0]!);
  return found !== meant && bitsOf(found) > bitsOf(type) ? type : found;
}

/** Layers whose `attn_v` and `ffn_down` get Q6_K in Q4_K_M: the first and last eighth and every third between. */
const moreBits = (layer: number, layers: number): boolean => {
  const eighth = Math.floor(layers / 8);
  return layer < eighth || layer >= Math.floor((7 * layers) / 8) || (layer - eighth) % 3 === 2;
};

/** The type meant for a tensor, whatever its rows. */
function meantFor(tensor: TensorInfo, file: ModelFile, { type, pure = false }: QuantizeOptions): DType {
  if (staysWhole(tensor)) return 'f32';
  if (type === SAME) return tensor.type;
  const base: DType = type === 'q4_K_M' ? 'q4_K' : type;
  if (pure || bitsOf(base) > 6) return base;
  const output = file.tensors.has('output.weight') ? 'output.weight' : 'token_embd.weight';
  if (tensor.name === output) return 'q6_K';
  const [, layer] = /^blk\.(\d+)\.(attn_v|ffn_down)\.weight$/.exec(tensor.name) ?? [];
  const layers = Number(file.metadata.get(`${String(file.metadata.get('general.architecture'))}.block_count`));
  return type === 'q4_K_M' && layer !== undefined && moreBits(Number(layer), layers) ? 'q6_K' : base;
}

/** A model in another type, and which of its tensors have others. */
export interface Quantised extends GgufContent {
  readonly fallbacks: readonly Fallback[];
}

/** The model with its matrices in another type, ready for writeGguf. Tensors are read and encoded as they are written, row by row. */
export function quantizeModel(file: ModelFile, kernels: TrainKernels, options: QuantizeOptions): Quantised {
  if (options.type !== SAME) checkType(options.type);
  const meant = new Map([...file.tensors.values()].map((tensor) => [tensor.name, meantFor(tensor, file, options)]));
  const tensors = encodeTensors(file, kernels, (tensor) => typeFitting(meant.get(tensor.name)!, tensor), options.onProgress);
  const fallbacks = tensors.flatMap(({ name, type, shape }) => (type === meant.get(name) ? [] : [{ tensor: name, columns: shape[0]!, meant: meant.get(name)!, type }]));
  const metadata = new Map<string, MetadataValue>([...unsplit(file), ...typeFacts(file, options.type, tensors)]);
  return { metadata, types: file.metadataTypes ?? new Map(), tensors, fallbacks };
}

/** @throws StonechatError `bad-option` */
export function checkType(type: Quantisation): void {
  if (!QUANTISATIONS.includes(type)) throw badOption(`one of the types ${QUANTISATIONS.join(', ')}`, String(type));
}

/** Metadata for one whole file. */
export const unsplit = ({ metadata }: ModelFile): [string, MetadataValue][] => [...metadata].filter(([key]) => !key.startsWith('split.'));

/** Tensors in the types that `choose` gives them; bytes of those that keep theirs are copied. */
export function encodeTensors(file: ModelFile, kernels: TrainKernels, choose: (tensor: TensorInfo) => DType, onProgress: QuantizeOptions['onProgress']): WrittenTensor[] {
  const chosen = [...file.tensors.values()].map((tensor) => ({ tensor, type: choose(tensor) }));
  const encoder = new Encoder(kernels, file);
  const progress = counter(chosen, onProgress);
  return chosen.map(({ tensor, type }): WrittenTensor => {
    const { name, shape } = tensor;
    const read = async (offset: number, into: Uint8Array) => {
      await (tensor.type === type ? file.read(tensor, offset, into) : encoder.read(tensor, type, offset, into));
      checkBytes(name, type, into, offset);
      progress(into.length);
    };
    return { name, type, shape, read };
  });
}

/** What the metadata say of the types: that of most weights; of a file that keeps its own, what it says itself. */
function typeFacts({ metadata }: ModelFile, type: QuantizeOptions['type'], tensors: readonly WrittenTensor[]): [string, MetadataValue][] {
  if (type === SAME && metadata.has('general.file_type')) return [];
  const most = typeOfMost(tensors);
  const file = most === 'q4_K' && type === 'q4_K_M' ? type : most;
  return [['general.file_type', FILE_TYPES[file]], ...(type === SAME ? [] : [['general.quantization_version', QUANTIZATION_VERSION] as [string, MetadataValue]])];
}

/** The type that most weights have. */
export function typeOfMost(tensors: readonly Pick<WrittenTensor, 'type' | 'shape'>[]): DType {
  const weights = new Map<DType, number>();
  for (const { type, shape } of tensors) weights.set(type, (weights.get(type) ?? 0) + shape.reduce((a, b) => a * b, 1));
  return [...weights].reduce((most, one) => (one[1] > most[1] ? one : most), ['f32', 0] as [DType, number])[0];
}

/** Bytes of a tensor in a type. */
const bytesIn = ({ shape }: TensorInfo, type: DType): number => (shape.reduce((a, b) => a * b, 1) / LAYOUTS[type].elements) * LAYOUTS[type].bytes;

function counter(chosen: readonly { tensor: TensorInfo; type: DType }[], report: QuantizeOptions['onProgress']): (bytes: number) => void {
  const total = chosen.reduce((sum, { tensor, type }) => sum + bytesIn(tensor, type), 0);
  let done = 0;
  return (bytes) => report?.((done += bytes), total);
}

/** Values that are decoded and encoded at a time: a whole number of blocks of every type. */
const PIECE = 1 << 16;

/** Reads a tensor in one type and gives its bytes in another. */
class Encoder {
  private readonly values: number;
  private readonly encoded: number;

  constructor(
    private readonly kernels: TrainKernels,
    private readonly file: ModelFile,
  ) {
    const arena = new Arena(kernels.memory);
    this.values = arena.allocate(PIECE * 4, 'values to encode');
    this.encoded = arena.allocate(PIECE * 4, 'encoded values');
  }

  /** The encoded bytes from `offset` on; both ends lie between blocks of 256 values or at the tensor's end. */
  async read(tensor: TensorInfo, type: DType, offset: number, into: Uint8Array): Promise<void> {
    const { elements, bytes } = LAYOUTS[type];
    const firstBlock = Math.floor(offset / bytes), endBlock = Math.ceil((offset + into.length) / bytes);
    // Whole groups of 256 values, so that the source's blocks are whole too.
    const first = Math.floor((firstBlock * elements) / 256) * 256;
    const end = Math.min(Math.ceil((endBlock * elements) / 256) * 256, tensor.shape.reduce((a, b) => a * b, 1));
    for (let at = first; at < end; at += PIECE) {
      const count = Math.min(PIECE, end - at);
      const piece = this.encode(tensor.name, await this.decode(tensor, at, count), type);
      const start = (at / elements) * bytes - offset; // where the piece begins in `into`, possibly before it
      const from = Math.max(0, -start), to = Math.min(piece.length, into.length - start);
      if (from < to) into.set(piece.subarray(from, to), start + from);
    }
  }

  private async decode(tensor: TensorInfo, first: number, count: number): Promise<Float32Array> {
    const { elements, bytes } = LAYOUTS[tensor.type];
    const raw = new Uint8Array((count / elements) * bytes);
    await this.file.read(tensor, (first / elements) * bytes, raw);
    return toFloat32(tensor.type, raw, count);
  }

  private encode(name: string, values: Float32Array, type: DType): Uint8Array {
    checkValues(name, type, values);
    const { memory, exports } = this.kernels;
    if (type === 'f32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    new Float32Array(memory.buffer, this.values, values.length).set(values);
    exports[`encode_${type}`](this.encoded, this.values, values.length);
    const encoded = new Uint8Array(memory.buffer, this.encoded, (values.length / LAYOUTS[type].elements) * LAYOUTS[type].bytes);
    checkEncoded(name, type, encoded, values);
    return encoded;
  }
}
