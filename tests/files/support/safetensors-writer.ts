export interface Stored {
  dtype: string;
  shape: readonly number[];
  data: Uint8Array;
}

/** A safetensors file: header length, JSON header, data. For tests only. */
export function writeSafetensors(tensors: Readonly<Record<string, Stored>>, metadata: Record<string, string> = { format: 'pt' }): Uint8Array<ArrayBuffer> {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let end = 0;
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) header[name] = { dtype, shape, data_offsets: [end, (end += data.length)] };
  return withHeader(new TextEncoder().encode(JSON.stringify(header)), Object.values(tensors).map(({ data }) => data));
}

export function withHeader(header: Uint8Array, data: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true);
  return concat([length, header, ...data]);
}

export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
