import { LAYOUTS, tensorBytes } from './dtypes.js';
import { badOption, show } from './refuse.js';
import { StringList } from './strings.js';
import type { DType, MetadataArray, MetadataValue, ScalarType } from './types.js';

const ALIGNMENT = 32;
const VERSION = 3;
const CHUNK_BYTES = 4 << 20;

/** A tensor to be written: GGUF name and order (shape[0] is contiguous), and where its bytes come from. */
export interface WrittenTensor {
  readonly name: string;
  readonly type: DType;
  readonly shape: readonly number[];
  /** Fills `into` with the bytes from `offset` on; called front to back. */
  read(offset: number, into: Uint8Array): void | Promise<void>;
}

export interface GgufContent {
  /** Under GGUF keys; `general.architecture` first, as tools expect it. Undefined values are left out. */
  readonly metadata: ReadonlyMap<string, MetadataValue | undefined>;
  /** Types of numbers, where the usual one (u32; f32 where the key speaks of scales, bases, epsilons) is not meant. */
  readonly types?: ReadonlyMap<string, ScalarType>;
  readonly tensors: readonly WrittenTensor[];
}

/** Numbers of `enum gguf_metadata_value_type`. */
export const VALUE_TYPES: Readonly<Record<ScalarType | 'bool' | 'string' | 'array', number>> = {
  u8: 0, i8: 1, u16: 2, i16: 3, u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9, u64: 10, i64: 11, f64: 12,
};

const SCALAR_BYTES: Readonly<Record<ScalarType, number>> = { u8: 1, i8: 1, u16: 2, i16: 2, u32: 4, i32: 4, f32: 4, u64: 8, i64: 8, f64: 8 };

const ARRAY_TYPES: ReadonlyMap<string, ScalarType> = new Map([
  ['Uint8Array', 'u8'], ['Int8Array', 'i8'], ['Uint16Array', 'u16'], ['Int16Array', 'i16'], ['Uint32Array', 'u32'], ['Int32Array', 'i32'],
  ['Float32Array', 'f32'], ['BigUint64Array', 'u64'], ['BigInt64Array', 'i64'], ['Float64Array', 'f64'],
]);

/** Keys that llama.cpp reads as f32 (llama-arch.cpp), also where their value happens to be whole. */
const FLOAT_KEY = /(epsilon|freq_base|factor|scale|temperature|beta|softcapping|clamp|\.alpha)[^.]*$/;

/** Bytes in growing order. */
class Sink {
  private bytes = new Uint8Array(1 << 16);
  private view = new DataView(this.bytes.buffer);
  length = 0;

  private room(count: number): number {
    const at = this.length;
    this.length += count;
    if (this.length > this.bytes.length) {
      const grown = new Uint8Array(Math.max(this.length, this.bytes.length * 2));
      grown.set(this.bytes);
      this.bytes = grown;
      this.view = new DataView(grown.buffer);
    }
    return at;
  }

  put(bytes: Uint8Array): void {
    const at = this.room(bytes.length); // before `this.bytes` is looked at: it may be replaced
    this.bytes.set(bytes, at);
  }

  number(type: ScalarType, value: number | bigint): void {
    const at = this.room(SCALAR_BYTES[type]);
    if (type === 'u64') this.view.setBigUint64(at, BigInt(value), true);
    else if (type === 'i64') this.view.setBigInt64(at, BigInt(value), true);
    else if (type === 'f32') this.view.setFloat32(at, Number(value), true);
    else if (type === 'f64') this.view.setFloat64(at, Number(value), true);
    else this.integer(at, SCALAR_BYTES[type], Number(value));
  }

  private integer(at: number, bytes: number, value: number): void {
    if (bytes === 4) this.view.setUint32(at, value, true);
    else if (bytes === 2) this.view.setUint16(at, value, true);
    else this.view.setUint8(at, value);
  }

  string(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.number('u64', bytes.length);
    this.put(bytes);
  }

  pad(): void {
    this.room(padding(this.length));
  }

  take(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.length);
  }
}

const padding = (length: number): number => (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT;

function scalarType(key: string, value: number | bigint): ScalarType {
  if (typeof value === 'bigint') return value < 0n ? 'i64' : 'u64';
  if (!Number.isInteger(value) || FLOAT_KEY.test(key)) return 'f32';
  if (value < 0) return value >= -(2 ** 31) ? 'i32' : 'i64';
  return value < 2 ** 32 ? 'u32' : 'u64';
}

function writeValue(sink: Sink, key: string, value: MetadataValue, type: ScalarType | undefined): void {
  if (typeof value === 'object') {
    sink.number('u32', VALUE_TYPES.array);
    return writeArray(sink, value);
  }
  if (typeof value === 'string' || typeof value === 'boolean') {
    sink.number('u32', VALUE_TYPES[typeof value === 'string' ? 'string' : 'bool']);
    return writeItem(sink, value);
  }
  const chosen = type ?? scalarType(key, value);
  sink.number('u32', VALUE_TYPES[chosen]);
  sink.number(chosen, value);
}

function writeItem(sink: Sink, value: string | boolean): void {
  if (typeof value === 'string') sink.string(value);
  else sink.number('u8', value ? 1 : 0);
}

function writeArray(sink: Sink, values: MetadataArray): void {
  if (values instanceof StringList) {
    sink.number('u32', VALUE_TYPES.string);
    sink.number('u64', values.length);
    return sink.put(values.block);
  }
  const numbers = ARRAY_TYPES.get(values.constructor.name);
  const first: unknown = values[0];
  const kind = numbers ?? (typeof first === 'object' ? 'array' : typeof first === 'boolean' ? 'bool' : 'string');
  sink.number('u32', VALUE_TYPES[kind]);
  sink.number('u64', values.length);
  for (const value of values as readonly MetadataValue[]) {
    if (numbers) sink.number(numbers, value as number | bigint);
    else if (kind === 'array') writeArray(sink, value as MetadataArray);
    else writeItem(sink, value as string | boolean);
  }
}

const sizeOf = ({ name, type, shape }: WrittenTensor): number => {
  const bytes = tensorBytes(type, shape);
  if (bytes !== undefined) return bytes;
  throw badOption(`rows of whole ${type} blocks (${LAYOUTS[type].elements} values) in tensor ${name}`, show(shape), 'Choose another type for this tensor: q8_0 takes rows of 32, f16 and f32 any.');
};

/** Header, metadata and tensor table, padded to where the tensors begin. Layout: ggml/docs/gguf.md, version 3. */
export function writeHead({ metadata, types, tensors }: GgufContent): Uint8Array<ArrayBuffer> {
  const sink = new Sink();
  const pairs = [...metadata].filter((pair): pair is [string, MetadataValue] => pair[1] !== undefined && (pair[0] !== 'general.alignment' || pair[1] === ALIGNMENT));
  sink.put(new TextEncoder().encode('GGUF'));
  sink.number('u32', VERSION);
  sink.number('u64', tensors.length);
  sink.number('u64', pairs.length);
  for (const [key, value] of pairs) {
    sink.string(key);
    writeValue(sink, key, value, types?.get(key));
  }
  let offset = 0;
  for (const tensor of tensors) {
    sink.string(tensor.name);
    sink.number('u32', tensor.shape.length);
    for (const size of tensor.shape) sink.number('u64', size);
    sink.number('u32', LAYOUTS[tensor.type].id);
    sink.number('u64', offset);
    const bytes = sizeOf(tensor);
    offset += bytes + padding(bytes);
  }
  sink.pad();
  return sink.take();
}

/**
 * A GGUF file (version 3, little-endian) in chunks of at most a few MiB, front to back: metadata and tensor names as
 * llama.cpp reads them. @throws StonechatError `bad-option` where a row is no whole number of blocks of its type.
 */
export async function* writeGguf(content: GgufContent): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  yield writeHead(content);
  for (const tensor of content.tensors) {
    const total = sizeOf(tensor);
    for (let offset = 0; offset < total; offset += CHUNK_BYTES) {
      const last = Math.min(CHUNK_BYTES, total - offset);
      const end = offset + last === total ? padding(total) : 0;
      const chunk = new Uint8Array(last + end);
      await tensor.read(offset, chunk.subarray(0, last));
      yield chunk;
    }
  }
}

/** Bytes of the whole file. */
export function ggufBytes(content: GgufContent): number {
  return content.tensors.reduce((sum, tensor) => sum + sizeOf(tensor) + padding(sizeOf(tensor)), writeHead(content).length);
}

/** A tensor whose bytes are at hand. */
export const tensorOf = (name: string, type: DType, shape: readonly number[], bytes: Uint8Array): WrittenTensor => ({
  name,
  type,
  shape,
  read: (offset, into) => into.set(bytes.subarray(offset, offset + into.length)),
});
