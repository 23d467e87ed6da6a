import { WEIGHT_TYPES, type WeightTypeName } from '../kernels/weight-types.js';
import type { StringList } from './strings.js';

export type { ByteSource } from '../host/host.js';

/** Tensor element types, by their ggml names in lower case (k-quants keep their capital K). */
export type DType = WeightTypeName;
export const DTYPES = Object.keys(WEIGHT_TYPES) as readonly DType[];

/** One tensor, normalised to GGUF naming (`blk.0.attn_q.weight`) and order (`shape[0]` is contiguous). */
export interface TensorInfo {
  readonly name: string;
  readonly type: DType;
  /** GGUF order: shape[0] = columns (k, contiguous), shape[1] = rows. */
  readonly shape: readonly number[];
  /** Bytes of the tensor as delivered by ModelFile.read. */
  readonly bytes: number;
}

/** Number types of GGUF's metadata. */
export type ScalarType = 'u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32' | 'f32' | 'u64' | 'i64' | 'f64';

/** 64-bit integers arrive as number where that is exact, else as bigint. */
export type MetadataValue = string | number | bigint | boolean | MetadataArray;
/** Numeric arrays arrive as typed arrays; strings as a StringList (an array of strings will do for writing); nested arrays as arrays of those. */
export type MetadataArray =
  | StringList | readonly string[] | readonly boolean[] | Float32Array | Float64Array | Int32Array | Uint32Array | Int8Array | Uint8Array
  | Int16Array | Uint16Array | BigInt64Array | BigUint64Array | readonly MetadataArray[];

export interface JoinedReads {
  readonly read: ModelFile['read'];
  /** Bytes from where one tensor begins to where `next` does, if they lie in one file as they are delivered. */
  distance(tensor: TensorInfo, next: TensorInfo): number | undefined;
  /** Bytes from where the tensor begins to where one in such a distance ends, and all between. */
  readOn(tensor: TensorInfo, into: Uint8Array): Promise<void>;
}

/**
 * A model on disk, whatever its format: metadata under GGUF keys (`llama.block_count`), tensors under GGUF names.
 * Safetensors and llama2.c files are translated at the door, so that everything after it knows one vocabulary.
 */
export interface ModelFile {
  readonly format: 'gguf' | 'safetensors' | 'llama2c';
  readonly name: string;
  /** All bytes on disk, shards included. */
  readonly fileBytes: number;
  /**
   * GGUF keys. `general.architecture` is always there. One key of our own: `stonechat.rope.style`, 'interleaved' or
   * 'neox' (rotate-half), set where it differs from what the architecture's GGUF files use.
   */
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  /** What kind of number the file has under a key, where the format says: for writing it again. */
  readonly metadataTypes?: ReadonlyMap<string, ScalarType>;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** What its user should know although it can be used: one sentence each, without its end. */
  readonly warnings?: readonly string[];
  /** Multiplies what the low-rank pairs among the tensors (`<weight>.lora_a`, `.lora_b`) add. Default 1. */
  readonly pairScale?: number;
  /** Reads need no memory but their target: many may be under way at once. */
  readonly direct?: boolean;
  /** Bytes `offset …` of the tensor stored row-major in its type. Reading tensors in map order is sequential on disk. */
  read(tensor: TensorInfo, offset: number, into: Uint8Array): Promise<void>;
  /** Reads over several tensors, of a file whose `read` is the one named here: who puts another in its place has other bytes to give. */
  readonly joined?: JoinedReads;
  /** Text or bytes of a file beside the model (`tokenizer.json`, `tokenizer_config.json`, …); undefined if absent. */
  sibling(name: string): Promise<Uint8Array | undefined>;
  close(): Promise<void>;
}
