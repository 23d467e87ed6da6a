/** xorshift32 (Marsaglia 2003): the same sequence everywhere. */
export function random(seed: number): { next(below: number): number; pick<T>(items: readonly T[]): T } {
  let state = (seed * 2654435761) >>> 0 || 1;
  const next = (below: number) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
  return { next, pick: (items) => items[next(items.length)]! };
}

/** Bytes that no format mistakes for structure: -1 … 1 as f32, from a seed. */
export function floats(count: number, seed: number): Float32Array<ArrayBuffer> {
  const { next } = random(seed);
  return Float32Array.from({ length: count }, () => next(2 ** 16) / 2 ** 15 - 1);
}

export const bytesOf = (values: ArrayBufferView): Uint8Array<ArrayBuffer> => new Uint8Array(values.buffer.slice(0) as ArrayBuffer, values.byteOffset, values.byteLength);
