import type { WrittenTensor } from './gguf-writer.js';

/** Reads bytes of a tensor, front to back or anywhere. */
type Read = WrittenTensor['read'];

/**
 * Rotary pairs in llama's files: GGUF and llama2.c keep the two of a pair side by side, Hugging Face the first ones of a head, then
 * the second ones. These give, for a row of the one order, its row in the other.
 */
export const rowInHalves = (row: number, headDim: number): number => {
  const within = row % headDim;
  return row - within + (within % 2) * (headDim / 2) + Math.floor(within / 2);
};
export const rowInPairs = (row: number, headDim: number): number => {
  const within = row % headDim;
  return row - within + 2 * (within % (headDim / 2)) + Math.floor(within / (headDim / 2));
};

/** Whether rows of this tensor belong to rotary heads: weights and biases of queries and keys. */
export const isRotary = (name: string): boolean => /^blk\.\d+\.attn_[qk]\.(weight|bias)$/.test(name);

/** A read of rows in another order: row i is `from(i)` of what `read` gives. The tensor is read whole when it is first asked for. */
export function reordered(read: Read, bytes: number, rows: number, from: (row: number) => number): Read {
  let whole: Promise<Uint8Array> | undefined;
  const load = async () => {
    const stored = new Uint8Array(bytes), turned = new Uint8Array(bytes), width = bytes / rows;
    await read(0, stored);
    for (let row = 0; row < rows; row++) turned.set(stored.subarray(from(row) * width, (from(row) + 1) * width), row * width);
    return turned;
  };
  return async (offset, into) => {
    whole ??= load();
    const turned = await whole;
    into.set(turned.subarray(offset, offset + into.length));
    if (offset + into.length >= bytes) whole = undefined;
  };
}
