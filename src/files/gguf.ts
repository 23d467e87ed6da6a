import { dtypeOfId, LAYOUTS, tensorBytes } from './dtypes.js';
import { Cursor, type Head } from './head.js';
import { createModelFile, type PlacedTensor } from './model-file.js';
import { badFile, quote, unsupported } from './refuse.js';
import { readString, StringList } from './strings.js';
import type { ByteSource, MetadataArray, MetadataValue, ModelFile, ScalarType } from './types.js';

/** "GGUF" as a little-endian number. */
export const GGUF_MAGIC = 0x46554747;
const DEFAULT_ALIGNMENT = 32;
const MOST_DIMENSIONS = 4;
/** Arrays in arrays deeper than this are an attack, not metadata. */
const MOST_NESTING = 8;
/** More of these than any model has: what is kept of each takes many times its bytes. */
const MOST_PAIRS = 1 << 16, MOST_TENSORS = 1 << 17, MOST_BOOLEANS = 1 << 20, MOST_ARRAYS = 1 << 16;
/** Least bytes of an entry: key length, type, value; name length, dimension count, type, offset. */
const LEAST_PAIR_BYTES = 13;
const LEAST_TENSOR_BYTES = 24;

/** One GGUF file, read up to its tensors. */
export interface GgufPart {
  readonly source: ByteSource;
  readonly metadata: Map<string, MetadataValue>;
  readonly metadataTypes: Map<string, ScalarType>;
  readonly tensors: PlacedTensor[];
}

/** Reads the header of a GGUF file (v2 or v3, little-endian). Layout: ggml/docs/gguf.md. */
export async function readGgufPart(head: Head): Promise<GgufPart> {
  const cursor = new Cursor(head);
  const [tensorCount, pairCount] = await head.parse(cursor, () => readCounts(cursor, head.source.name));
  const metadata = new Map<string, MetadataValue>(), metadataTypes = new Map<string, ScalarType>();
  for (let i = 0; i < pairCount; i++) await head.parse(cursor, () => readPair(cursor, metadata, metadataTypes));
  const raw: RawTensor[] = [];
  for (let i = 0; i < tensorCount; i++) raw.push(await head.parse(cursor, () => readTensorInfo(cursor)));
  const alignment = readAlignment(metadata);
  const data = Math.ceil(cursor.position / alignment) * alignment;
  const source = head.after(cursor.position);
  return { source, metadata, metadataTypes, tensors: raw.map((tensor) => place(tensor, source, data, alignment)) };
}

/** A model of parts that are complete and in order; the first holds the metadata. */
export function ggufModel(parts: readonly GgufPart[], name: string, sibling?: ModelFile['sibling']): ModelFile {
  const { metadata, metadataTypes } = parts[0]!;
  if (typeof metadata.get('general.architecture') !== 'string') throw badFile('metadata general.architecture', `none in ${name}`);
  const tensors = parts.flatMap((part) => part.tensors);
  return createModelFile({ format: 'gguf', name, metadata, metadataTypes, tensors, sources: parts.map(({ source }) => source), sibling });
}

function readCounts(cursor: Cursor, name: string): [number, number] {
  cursor.claim(4);
  const version = cursor.u32();
  if (version !== 2 && version !== 3) throw refuseVersion(version, name);
  const tensors = atMost(MOST_TENSORS, cursor.count(LEAST_TENSOR_BYTES, 'tensors'), `tensors in ${name}`);
  return [tensors, atMost(MOST_PAIRS, cursor.count(LEAST_PAIR_BYTES, 'metadata entries'), `metadata entries in ${name}`)];
}

function atMost(most: number, count: number, what: string): number {
  if (count <= most) return count;
  throw badFile(`at most ${most} ${what}`, String(count));
}

function refuseVersion(version: number, name: string) {
  const swapped = version >>> 24;
  if (version % 0x1000000 === 0 && swapped > 0 && swapped < 16) {
    return unsupported('a little-endian GGUF file', `a big-endian one (version ${swapped}) in ${name}`, 'Download the little-endian file of this model.');
  }
  const old = version === 1;
  return (old ? unsupported : badFile)('GGUF version 2 or 3', `version ${version} in ${name}`, old ? 'Convert the model again with current tools.' : undefined);
}

function readPair(cursor: Cursor, metadata: Map<string, MetadataValue>, types: Map<string, ScalarType>): void {
  const key = readString(cursor, 'key');
  const type = cursor.u32();
  const value = readValue(cursor, type, key);
  if (metadata.has(key)) throw badFile('every metadata key once', `${quote(key)} twice`);
  metadata.set(key, value);
  const number = SCALARS[type]?.name;
  if (number) types.set(key, number);
}

/** Scalars of `enum gguf_metadata_value_type`, by number. */
const SCALARS: Readonly<Record<number, { name?: ScalarType; bytes: number; read: (cursor: Cursor) => MetadataValue }>> = {
  0: { name: 'u8', bytes: 1, read: (cursor) => cursor.u8() },
  1: { name: 'i8', bytes: 1, read: (cursor) => cursor.view(1).getInt8(0) },
  2: { name: 'u16', bytes: 2, read: (cursor) => cursor.view(2).getUint16(0, true) },
  3: { name: 'i16', bytes: 2, read: (cursor) => cursor.view(2).getInt16(0, true) },
  4: { name: 'u32', bytes: 4, read: (cursor) => cursor.u32() },
  5: { name: 'i32', bytes: 4, read: (cursor) => cursor.i32() },
  6: { name: 'f32', bytes: 4, read: (cursor) => cursor.view(4).getFloat32(0, true) },
  7: { bytes: 1, read: (cursor) => cursor.u8() !== 0 },
  8: { bytes: 8, read: (cursor) => readString(cursor, 'text') },
  10: { name: 'u64', bytes: 8, read: (cursor) => exact(cursor.u64()) },
  11: { name: 'i64', bytes: 8, read: (cursor) => exact(cursor.view(8).getBigInt64(0, true)) },
  12: { name: 'f64', bytes: 8, read: (cursor) => cursor.view(8).getFloat64(0, true) },
};
const TYPED_ARRAYS = {
  0: Uint8Array, 1: Int8Array, 2: Uint16Array, 3: Int16Array, 4: Uint32Array, 5: Int32Array, 6: Float32Array,
  10: BigUint64Array, 11: BigInt64Array, 12: Float64Array,
} as const;
const BOOL = 7;
const STRING = 8;
const ARRAY = 9;

const exact = (value: bigint): number | bigint => (Number.isSafeInteger(Number(value)) ? Number(value) : value);

function readValue(cursor: Cursor, type: number, key: string): MetadataValue {
  if (type === ARRAY) return readArray(cursor, key, 1, { count: 0 });
  const scalar = SCALARS[type];
  if (!scalar) throw badFile('metadata value types 0 to 12', `${type} under key ${quote(key)}`);
  return scalar.read(cursor);
}

function readArray(cursor: Cursor, key: string, depth: number, nested: { count: number }): MetadataArray {
  const type = cursor.u32();
  const bytesEach = type === ARRAY ? 12 : SCALARS[type]?.bytes;
  if (bytesEach === undefined || depth > MOST_NESTING) {
    const found = bytesEach === undefined ? `elements of type ${type}` : 'a deeper one';
    throw badFile(`arrays of value types 0 to 12, nested at most ${MOST_NESTING} deep`, `${found} under key ${quote(key)}`);
  }
  const count = cursor.count(bytesEach, `entries of ${quote(key)}`);
  cursor.position = cursor.claim(count * bytesEach); // the bytes must be at hand before anything of that size is allocated
  if (type === STRING) return StringList.read(cursor, count);
  if (type === BOOL) return Array.from(cursor.bytes(atMost(MOST_BOOLEANS, count, `booleans under key ${quote(key)}`)), (byte) => byte !== 0);
  if (type === ARRAY) nested.count = atMost(MOST_ARRAYS, nested.count + count, 'arrays in arrays');
  if (type === ARRAY) return Array.from({ length: count }, () => readArray(cursor, key, depth + 1, nested));
  // A copy, since the bytes lie at any alignment.
  return new TYPED_ARRAYS[type as keyof typeof TYPED_ARRAYS](cursor.bytes(count * bytesEach).slice().buffer);
}

interface RawTensor {
  name: string;
  shape: number[];
  typeId: number;
  offset: number;
}

function readTensorInfo(cursor: Cursor): RawTensor {
  const name = readString(cursor, 'tensor name');
  const dimensions = cursor.u32();
  if (dimensions > MOST_DIMENSIONS) throw badFile(`at most ${MOST_DIMENSIONS} dimensions`, `${dimensions} in tensor ${quote(name)}`);
  const shape = Array.from({ length: dimensions }, () => Number(cursor.u64()));
  return { name, shape: dimensions === 0 ? [1] : shape, typeId: cursor.u32(), offset: Number(cursor.u64()) };
}

function readAlignment(metadata: ReadonlyMap<string, MetadataValue>): number {
  const alignment = metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT;
  if (typeof alignment === 'number' && alignment >= 1 && alignment <= 1 << 24 && (alignment & (alignment - 1)) === 0) return alignment;
  throw badFile('general.alignment to be a power of two', String(alignment));
}

function place({ name, shape, typeId, offset }: RawTensor, source: ByteSource, data: number, alignment: number): PlacedTensor {
  const type = dtypeOfId(typeId, quote(name));
  const bytes = shape.every((size) => Number.isSafeInteger(size) && size > 0) ? tensorBytes(type, shape) : undefined;
  if (bytes === undefined) {
    throw badFile(`rows of ${type} in whole blocks of ${LAYOUTS[type].elements}`, `shape [${shape.join(', ')}] of tensor ${quote(name)}`);
  }
  if (!Number.isSafeInteger(data + offset + bytes) || offset % alignment !== 0) {
    throw badFile(`offsets in multiples of ${alignment}`, `${offset} of tensor ${quote(name)}`);
  }
  return { name, type, shape, bytes, source, offset: data + offset };
}
