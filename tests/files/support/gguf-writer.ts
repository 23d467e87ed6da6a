import { LAYOUTS, tensorBytes } from '../../../src/files/dtypes.js';
import type { DType } from '../../../src/files/types.js';

/** Metadata values as [value type, value]; arrays as ['array', element type, values]. */
export type Scalar = 'u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32' | 'f32' | 'bool' | 'string' | 'u64' | 'i64' | 'f64';
export type Entry = readonly [Scalar, unknown] | readonly ['array', Scalar, readonly unknown[]] | readonly ['array', 'array', readonly Entry[]];
export interface Tensor {
  name: string;
  type: DType;
  shape: readonly number[];
  data: Uint8Array;
}

const TYPE_ID: Record<Scalar | 'array', number> = { u8: 0, i8: 1, u16: 2, i16: 3, u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9, u64: 10, i64: 11, f64: 12 };

class Writer {
  private parts: Uint8Array[] = [];
  length = 0;
  bytes(part: Uint8Array): void {
    this.parts.push(part);
    this.length += part.length;
  }
  number(bytes: number, set: (view: DataView) => void): void {
    const part = new Uint8Array(bytes);
    set(new DataView(part.buffer));
    this.bytes(part);
  }
  u32 = (x: number) => this.number(4, (v) => v.setUint32(0, x, true));
  u64 = (x: number | bigint) => this.number(8, (v) => v.setBigUint64(0, BigInt(x), true));
  string(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.u64(bytes.length);
    this.bytes(bytes);
  }
  pad(alignment: number): void {
    this.bytes(new Uint8Array((alignment - (this.length % alignment)) % alignment));
  }
  scalar(type: Scalar, value: unknown): void {
    const x = Number(value);
    const writers: Record<Scalar, () => void> = {
      u8: () => this.number(1, (v) => v.setUint8(0, x)),
      i8: () => this.number(1, (v) => v.setInt8(0, x)),
      u16: () => this.number(2, (v) => v.setUint16(0, x, true)),
      i16: () => this.number(2, (v) => v.setInt16(0, x, true)),
      u32: () => this.u32(x),
      i32: () => this.number(4, (v) => v.setInt32(0, x, true)),
      f32: () => this.number(4, (v) => v.setFloat32(0, x, true)),
      bool: () => this.number(1, (v) => v.setUint8(0, value ? 1 : 0)),
      string: () => this.string(String(value)),
      u64: () => this.u64(value as bigint),
      i64: () => this.number(8, (v) => v.setBigInt64(0, BigInt(value as bigint), true)),
      f64: () => this.number(8, (v) => v.setFloat64(0, x, true)),
    };
    writers[type]();
  }
  value(entry: Entry): void {
    if (entry[0] !== 'array') return this.scalar(entry[0], entry[1]);
    this.u32(TYPE_ID[entry[1]]);
    this.u64(entry[2].length);
    if (entry[1] === 'array') for (const inner of entry[2] as readonly Entry[]) this.value(inner);
    else for (const item of entry[2]) this.scalar(entry[1], item);
  }
  join(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}

/** A GGUF file with any value types, versions and damage: what the package's own writer (src/files/gguf-writer.ts) never writes. */
export function writeGguf(metadata: Readonly<Record<string, Entry>>, tensors: readonly Tensor[] = [], { version = 3, alignment = 32 } = {}): Uint8Array<ArrayBuffer> {
  const out = new Writer();
  out.bytes(new TextEncoder().encode('GGUF'));
  out.u32(version);
  out.u64(tensors.length);
  out.u64(Object.keys(metadata).length);
  for (const [key, entry] of Object.entries(metadata)) {
    out.string(key);
    out.u32(TYPE_ID[entry[0]]);
    out.value(entry);
  }
  let offset = 0;
  for (const { name, type, shape, data } of tensors) {
    if (tensorBytes(type, shape) !== data.length) throw new Error(`${name}: ${data.length} bytes`);
    out.string(name);
    out.u32(shape.length);
    for (const size of shape) out.u64(size);
    out.u32(LAYOUTS[type].id);
    out.u64(offset);
    offset += Math.ceil(data.length / alignment) * alignment;
  }
  for (const { data } of tensors) {
    out.pad(alignment);
    out.bytes(data);
  }
  out.pad(alignment);
  return out.join();
}
